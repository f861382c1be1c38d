import { readdir } from "node:fs/promises";
import { type TestDaemon, testDaemon } from "../../test/lab/daemon.ts";
import { ok } from "../../test/lab/ok.ts";
import { say } from "../lab/bench.ts";
import { type BothEngines, ctlContender } from "../lab/both-engines.ts";
import { type Contender, describe, interleave, ratioOfMedians, timeOnce } from "../lab/measure.ts";
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
export async function benchManyPorts({ ctld, docker, registry }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  await using other = await testDaemon({
    config: { registries: { "docker.io": { mirrors: [{ url: registry.url }] } } },
  });
  await ok(other, "pull", "busybox");
  const before = await countProcesses();
  const ctlMs = await timeOnce(ctlContender(ctld, ...wide(MANY)), signal);
  const ctlProcesses = (await countProcesses()) - before;
  const measured = await interleave([among("none", other), among("1000", ctld)], ROUNDS, signal);
  const removeMs = await timeOnce(ctlContender(ctld, "rm", "-f", "wide"), signal);
  const dockerBefore = await countProcesses();
  const dockerMs = await timeOnce(docker.contender(...wide(DOCKER_PORTS)), signal);
  const dockerProcesses = (await countProcesses()) - dockerBefore;
  await docker.run("rm", "-f", "wide");

  say(`\nctl ${COMMAND.join(" ")}, with no other port published and with ${MANY}, interleaved`);
  for (const one of measured) say(describe(one));
  say("\none container that publishes many ports");
  say(
    `ctl      ${MANY} ports: ${ctlMs.toFixed(0)} ms, ${ctlProcesses} processes; removed in ${removeMs.toFixed(0)} ms`,
  );
  say(`docker   ${DOCKER_PORTS} ports: ${dockerMs.toFixed(0)} ms, ${dockerProcesses} processes`);
  return [
    verdict("network-port-among-1000", ratioOfMedians(measured, "1000", "none"), FLAT_LIMIT),
    verdict(`network-1000-ports-against-docker-${DOCKER_PORTS}`, ctlMs / dockerMs, AT_ONCE_LIMIT),
  ];
}

const COMMAND = ["run", "--rm", "-p", "80", "busybox", "true"];

function among(name: string, daemon: TestDaemon): Contender {
  return { ...ctlContender(daemon, ...COMMAND), name };
}

function wide(ports: number): string[] {
  const range = `20000-${20_000 + ports - 1}`;
  return ["run", "-d", "--name", "wide", "-p", `${range}:${range}`, "busybox", "sleep", "900"];
}

async function countProcesses(): Promise<number> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).length;
}
