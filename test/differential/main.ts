import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { mochaGlobalSetup, mochaGlobalTeardown } from "../lab/mocha-hooks.ts";
import { type Call, readScenarios, type Scenario } from "./calls-file.ts";
import { compare, type Difference } from "./compare.ts";
import { isKnownAs, KNOWN } from "./known.ts";
import { type Side, type Sides, startSides } from "./sides.ts";

/**
 * Says the same to Debian's dockerd and to ctl, in the words of the docker command, and compares what both answer.
 *
 *   npm run differential [-- --json FILE] [SCENARIO...]
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "string" } } });
  const scenarios = await readScenarios(positionals);
  await mochaGlobalSetup();
  try {
    await using sides = await startSides();
    const differences: Difference[] = [];
    for (const scenario of scenarios) differences.push(...(await play(scenario, sides)));
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify(differences, undefined, 1));
    return report(scenarios, differences, positionals.length === 0);
  } finally {
    await mochaGlobalTeardown();
  }
}

async function play({ name, calls }: Scenario, sides: Sides): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const call of calls) {
    const [docker, ctl] = await Promise.all([answer(sides.docker, call), answer(sides.ctl, call)]);
    found.push(...compare(name, call, docker, ctl));
  }
  await Promise.all([clear(sides.docker), clear(sides.ctl)]);
  say(`${name}: ${calls.length} calls, ${found.length} differences`);
  return found;
}

/** One that hangs is an answer of its own. */
async function answer(side: Side, call: Call) {
  return side.run(call).catch((error: Error) => ({ exitCode: -1, stdout: "", stderr: error.message }));
}

async function clear(side: Side): Promise<void> {
  const lists = [
    [
      ["ps", "-aq", "--no-trunc"],
      ["rm", "-f", "-v"],
    ],
    [
      ["volume", "ls", "-q"],
      ["volume", "rm"],
    ],
    [
      ["network", "ls", "-q", "--filter", "type=custom"],
      ["network", "rm"],
    ],
  ] as const;
  for (const [list, remove] of lists) {
    const { stdout } = await side.run({ args: list, stdin: "" });
    const names = stdout.split("\n").filter((line) => line !== "");
    if (names.length > 0) await side.run({ args: [...remove, ...names], stdin: "" });
  }
}

function report(scenarios: readonly Scenario[], differences: readonly Difference[], isWhole: boolean): number {
  const unlisted = differences.filter((one) => !KNOWN.some((known) => isKnownAs(one, known)));
  for (const one of unlisted) {
    say(
      `\n${one.scenario}: docker ${one.call}\n  at ${one.at}\n  docker: ${one.docker.trimEnd()}\n  ctl:    ${one.ctl.trimEnd()}`,
    );
  }
  // an entry that holds for nothing any more hides the next difference
  const stale = isWhole ? KNOWN.filter((known) => !differences.some((one) => isKnownAs(one, known))) : [];
  for (const { reason, call, at } of stale) say(`\nlisted and no longer seen: ${reason} (${call ?? ""} ${at ?? ""})`);
  const calls = scenarios.reduce((count, scenario) => count + scenario.calls.length, 0);
  const listed = differences.length - unlisted.length;
  say(`\n${calls} calls: ${unlisted.length} unlisted differences, ${listed} listed, ${stale.length} entries too many`);
  return unlisted.length + stale.length === 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
