import { inParallel } from "../services/kit/parallel.ts";
import { type TestDaemon, testDaemon } from "../test/lab/daemon.ts";
import { ok } from "../test/lab/ok.ts";
import { testRegistry } from "../test/lab/registry.ts";
import { type Bench, say } from "./lab/bench.ts";
import { ctlContender } from "./lab/both-engines.ts";
import { describeMachine } from "./lab/machine.ts";
import { type Contender, describe, interleave, ratioOfMedians } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const ROUNDS = 20;
const FEW = 10;
const MANY = 1_000;
const LIMIT = 2;
const AT_ONCE = 6;

/** Whether a list of a thousand containers takes twice as long as one of ten: two daemons, each with its number. */
export const bench: Bench = async (_options, signal) => {
  await using registry = await testRegistry();
  await registry.pushBusybox();
  const config = { registries: { "docker.io": { mirrors: [{ url: registry.url }] } } };
  await using few = await testDaemon({ config });
  await using many = await testDaemon({ config });
  await createContainers(few, FEW, signal);
  await createContainers(many, MANY, signal);
  say(`machine  ${await describeMachine()}`);
  say(`ctl      ${await ok(few, "version", "--format", "{{.Server.Version}}")}`);

  const contenders = [named("few", few), named("many", many)];
  const measured = await interleave(contenders, ROUNDS, signal);

  say(`\nctl ps -a with ${FEW} (few) and with ${MANY} containers (many), interleaved`);
  for (const one of measured) say(describe(one));
  return [verdict("ps-many", ratioOfMedians(measured, "many", "few"), LIMIT)];
};

function named(name: string, daemon: TestDaemon): Contender {
  return { ...ctlContender(daemon, "ps", "-a"), name };
}

async function createContainers(daemon: TestDaemon, count: number, signal: AbortSignal): Promise<void> {
  await ok(daemon, "pull", "-q", "busybox");
  const flags = ["-l", "tier=web", "-e", "A=b", "--restart", "on-failure:3"];
  const create = (index: number) => ok(daemon, "create", "--name", `box-${index}`, ...flags, "busybox", "sleep", "600");
  await inParallel(
    Array.from({ length: count }, (_, index) => index),
    create,
    signal,
    AT_ONCE,
  );
}
