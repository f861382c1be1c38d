import { readFile, writeFile } from "node:fs/promises";
import { differences, type HostState, hostState } from "./leak-check.ts";

// node test/lab/leak-check.main.ts before|after FILE RUN-NAME [KIND...]
// keeps the host's state in FILE, or compares with what was kept (only these kinds, if any are named)
const [step, file = "", run = "", ...kinds] = process.argv.slice(2);
const all = await hostState(run);
const state: HostState = kinds.length === 0 ? all : Object.fromEntries(kinds.map((kind) => [kind, all[kind] ?? []]));
if (step === "before") {
  await writeFile(file, JSON.stringify(state));
} else {
  const before: HostState = JSON.parse(await readFile(file, "utf8"));
  const found = differences(before, state);
  for (const difference of found) process.stderr.write(`${difference}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
