import { ok } from "../test/lab/ok.ts";
import { type Bench, say } from "./lab/bench.ts";
import { ctlContender, startBothEngines } from "./lab/both-engines.ts";
import { describe, interleave, ratioOfMedians } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const PAIRS = 40;
const CONTAINERS = 5;
const LIMIT = 1.5;

/** A query that has hardly anything to do: mostly the start of the client. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  for (let index = 0; index < CONTAINERS; index++) {
    signal.throwIfAborted();
    const command = ["run", "-d", "--name", `sleeper${index}`, "busybox", "sleep", "600"];
    await ok(engines.ctld, ...command);
    await engines.docker.run(...command);
  }
  const listed = (await ok(engines.ctld, "ps", "-q")).split("\n").length;
  if (listed !== CONTAINERS) throw new Error(`ctl ps lists ${listed} containers where ${CONTAINERS} run`);

  const measured = await interleave([ctlContender(engines.ctld, "ps"), engines.docker.contender("ps")], PAIRS, signal);

  say(`\nctl against docker: ps with ${CONTAINERS} containers running, interleaved`);
  for (const one of measured) say(describe(one));
  await engines.docker.run("rm", "-f", ...Array.from({ length: CONTAINERS }, (_, index) => `sleeper${index}`));
  return [verdict("ps", ratioOfMedians(measured, "ctl", "docker"), LIMIT)];
};
