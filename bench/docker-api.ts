import type { TestDaemon } from "../test/lab/daemon.ts";
import type { DockerPeer } from "../test/lab/docker.ts";
import { ok } from "../test/lab/ok.ts";
import { type Bench, say } from "./lab/bench.ts";
import { startBothEngines } from "./lab/both-engines.ts";
import { type Contender, describe, interleave, ratioOfMedians } from "./lab/measure.ts";
import { type Verdict, verdict } from "./lab/verdict.ts";

const PAIRS = 30;
const CONTAINERS = 5;
const PS_LIMIT = 1;
const RUN_LIMIT = 0.4;

/** The same docker command against both sockets: what somebody gains who changes nothing but DOCKER_HOST. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  const run = await compare("docker-run", RUN_LIMIT, engines, ["run", "--rm", "busybox", "true"], signal);
  for (let index = 0; index < CONTAINERS; index++) {
    const command = ["run", "-d", "--name", `sleeper${index}`, "busybox", "sleep", "600"];
    await ok(engines.ctld, ...command);
    await engines.docker.run(...command);
  }
  const ps = await compare("docker-ps", PS_LIMIT, engines, ["ps"], signal);
  await engines.docker.run("rm", "-f", ...Array.from({ length: CONTAINERS }, (_, index) => `sleeper${index}`));
  return [run, ps];
};

interface Engines {
  readonly ctld: TestDaemon;
  readonly docker: DockerPeer;
}

async function compare(
  name: string,
  limit: number,
  { ctld, docker }: Engines,
  command: readonly string[],
  signal: AbortSignal,
): Promise<Verdict> {
  const theirs = docker.contender(...command);
  const ours: Contender = { ...theirs, name: "ctl", env: { ...theirs.env, DOCKER_HOST: `unix://${ctld.socket}` } };
  const measured = await interleave([ours, theirs], PAIRS, signal);
  say(`\nthe docker command against ctl's socket and dockerd's: ${command.join(" ")}, interleaved`);
  for (const one of measured) say(describe(one));
  return verdict(name, ratioOfMedians(measured, "ctl", "docker"), limit);
}
