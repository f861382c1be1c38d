import { parseArgs } from "node:util";
import { mochaGlobalSetup, mochaGlobalTeardown } from "../test/lab/mocha-hooks.ts";
import { BENCHES } from "./catalogue.ts";
import type { Bench } from "./lab/bench.ts";

/** Runs one bench and ends with its lines `NAME ratio=… limit=… ok|over`; exit code 1 when a ratio is over its limit. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "with-podman": { type: "boolean", default: false } },
  });
  const name = positionals[0] ?? "";
  if (BENCHES[name] === undefined) return 2;
  const { bench }: { bench: Bench } = await import(`./${name}.ts`);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error(signal)));
  await mochaGlobalSetup();
  try {
    const verdicts = await bench({ withPodman: values["with-podman"] }, stop.signal);
    for (const verdict of verdicts) process.stdout.write(`${verdict.line}\n`);
    return verdicts.every(({ isWithin }) => isWithin) ? 0 : 1;
  } finally {
    await mochaGlobalTeardown();
  }
}

process.exitCode = await main();
