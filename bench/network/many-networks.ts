import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { ok } from "../../test/lab/ok.ts";
import { say } from "../lab/bench.ts";
import { type BothEngines, ctlContender } from "../lab/both-engines.ts";
import { describe, median, timeOnce } from "../lab/measure.ts";
import { type Verdict, verdict } from "../lab/verdict.ts";

const NETWORKS = 500;
const SAMPLE = 50;
/** Docker's own address pools end with the 31st network. */
const DOCKER_NETWORKS = 25;
const FLAT_LIMIT = 1.5;
const DOCKER_LIMIT = 0.5;

/** Five hundred networks are made and removed one by one: what the last costs against the first, and against Docker's. */
export async function benchManyNetworks({ ctld, docker }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  const linksBefore = await countLinks();
  const created: number[] = [];
  for (let i = 0; i < NETWORKS; i++) {
    created.push(await timeOnce(ctlContender(ctld, "network", "create", `net-${i}`), signal));
  }
  const links = (await countLinks()) - linksBefore;
  const removed: number[] = [];
  for (let i = 0; i < NETWORKS; i++) {
    removed.push(await timeOnce(ctlContender(ctld, "network", "rm", `net-${i}`), signal));
  }
  const dockerMs: number[] = [];
  for (let i = 0; i < DOCKER_NETWORKS; i++) {
    const made = await timeOnce(docker.contender("network", "create", `net-${i}`), signal);
    dockerMs.push(made + (await timeOnce(docker.contender("network", "rm", `net-${i}`), signal)));
  }
  const left = (await ok(ctld, "network", "ls", "--quiet", "--filter", "type=custom"))
    .split("\n")
    .filter(Boolean).length;

  say(`\n${NETWORKS} networks, one by one (${links} links when all were there, ${left} networks left behind)`);
  say(describe({ name: "create", samplesMs: created }));
  say(describe({ name: "remove", samplesMs: removed }));
  say(describe({ name: "docker", samplesMs: dockerMs }));
  const pairs = created.map((ms, index) => ms + (removed[index] ?? 0));
  const flat = median(created.slice(-SAMPLE)) / median(created.slice(0, SAMPLE));
  return [
    verdict("network-create-500th-against-first", flat, FLAT_LIMIT),
    verdict("network-create-remove-against-docker", median(pairs) / median(dockerMs), DOCKER_LIMIT),
  ];
}

async function countLinks(): Promise<number> {
  const { stdout } = await runCommand("ip", ["-o", "link"], { signal: deadline(10_000, "list links") });
  return stdout.split("\n").length;
}
