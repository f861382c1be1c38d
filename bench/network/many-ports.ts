import { readdir } from "node:fs/promises";
import { say } from "../lab/bench.ts";
import { type BothEngines, ctlContender } from "../lab/both-engines.ts";
import { describe, interleave, type Measurement, ratioOfMedians, timeOnce } from "../lab/measure.ts";
import { type Verdict, verdict } from "../lab/verdict.ts";

const ROUNDS = 20;
const MANY = 1_000;
/** Docker starts a process for each port and a program for each of its rules: a thousand take it minutes. */
const DOCKER_PORTS = 50;
const FLAT_LIMIT = 1.2;
const AT_ONCE_LIMIT = 0.5;

/**
 * A container with one published port while a thousand others are published, and while none is; a container that publishes
 * them all, and the processes that this takes.
 */
export async function benchManyPorts({ ctld, docker }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  const command = ["run", "--rm", "-p", "80", "busybox", "true"];
  const without = await first(interleave([ctlContender(ctld, ...command)], ROUNDS, signal), "none");
  const wide = (ports: number, name: string) => {
    const range = `20000-${20_000 + ports - 1}`;
    return ["run", "-d", "--name", name, "-p", `${range}:${range}`, "busybox", "sleep", "900"];
  };
  const processesBefore = await countProcesses();
  const ctlMs = await timeOnce(ctlContender(ctld, ...wide(MANY, "wide")), signal);
  const ctlProcesses = (await countProcesses()) - processesBefore;
  const withMany = await first(interleave([ctlContender(ctld, ...command)], ROUNDS, signal), "1000");
  const removeMs = await timeOnce(ctlContender(ctld, "rm", "-f", "wide"), signal);
  const again = await first(interleave([ctlContender(ctld, ...command)], ROUNDS, signal), "none2");
  const dockerBefore = await countProcesses();
  const dockerMs = await timeOnce(docker.contender(...wide(DOCKER_PORTS, "wide")), signal);
  const dockerProcesses = (await countProcesses()) - dockerBefore;
  await docker.run("rm", "-f", "wide");

  say(`\nctl ${command.join(" ")}, with no other port published (before and behind) and with ${MANY}`);
  for (const one of [without, withMany, again]) say(describe(one));
  say(`\none container that publishes many ports`);
  say(
    `ctl      ${MANY} ports: ${ctlMs.toFixed(0)} ms, ${ctlProcesses} processes; removed in ${removeMs.toFixed(0)} ms`,
  );
  say(`docker   ${DOCKER_PORTS} ports: ${dockerMs.toFixed(0)} ms, ${dockerProcesses} processes`);
  const none = { name: "none", samplesMs: [...without.samplesMs, ...again.samplesMs] };
  return [
    verdict("network-port-among-1000", ratioOfMedians([none, withMany], "1000", "none"), FLAT_LIMIT),
    verdict(`network-1000-ports-against-docker-${DOCKER_PORTS}`, ctlMs / dockerMs, AT_ONCE_LIMIT),
  ];
}

async function first(measured: Promise<Measurement[]>, name: string): Promise<Measurement> {
  return { name, samplesMs: (await measured)[0]?.samplesMs ?? [] };
}

async function countProcesses(): Promise<number> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).length;
}
