import { ok } from "../test/lab/ok.ts";
import { type Bench, say } from "./lab/bench.ts";
import { ctlContender, startBothEngines } from "./lab/both-engines.ts";
import { describe, interleave, ratioOfMedians } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const PAIRS = 30;
const LIMIT = 0.5;

/** A command in a container that runs already: no image, no network, no root to make. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  const sleeper = ["run", "-d", "--name", "sleeper", "busybox", "sleep", "600"];
  await ok(engines.ctld, ...sleeper);
  await engines.docker.run(...sleeper);
  const command = ["exec", "sleeper", "true"];

  const measured = await interleave(
    [ctlContender(engines.ctld, ...command), engines.docker.contender(...command)],
    PAIRS,
    signal,
  );

  say(`\nctl against docker: ${command.join(" ")}, interleaved`);
  for (const one of measured) say(describe(one));
  await engines.docker.run("rm", "-f", "sleeper");
  return [verdict("exec", ratioOfMedians(measured, "ctl", "docker"), LIMIT)];
};
