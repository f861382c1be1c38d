import { type Bench, say } from "./lab/bench.ts";
import { ctlContender, startBothEngines } from "./lab/both-engines.ts";
import { type Contender, describe, interleave, ratioOfMedians } from "./lab/measure.ts";
import { startPodman } from "./lab/peer-podman.ts";
import { verdict } from "./lab/verdict.ts";

const PAIRS = 20;
const LIMIT = 0.4; // the design's budget is 0.2

/** From the start of the client to its end: what a person waits for when a container has nothing to do. */
export const bench: Bench = async ({ withPodman }, signal) => {
  await using engines = await startBothEngines();
  await using podman = withPodman ? await startPodman(engines.layerPath) : undefined;
  const command = ["run", "--rm", "busybox", "true"];
  const contenders: Contender[] = [ctlContender(engines.ctld, ...command), engines.docker.contender(...command)];
  if (podman !== undefined) contenders.push(podman.run("--rm", "localhost/busybox", "true"));

  const measured = await interleave(contenders, PAIRS, signal);

  say(`\nctl against docker: ${command.join(" ")}, interleaved, the image being there`);
  for (const one of measured) say(describe(one));
  if (podman !== undefined) say(`ctl takes ${ratioOfMedians(measured, "ctl", "podman").toFixed(2)} of Podman's time`);
  return [verdict("run-latency", ratioOfMedians(measured, "ctl", "docker"), LIMIT)];
};
