import { parseArgs } from "node:util";
import { deadline } from "../../../services/kit/deadlines.ts";
import { type TestDaemon, testDaemon } from "../../lab/daemon.ts";
import { tailOf } from "../../lab/detached-process.ts";
import { eventually } from "../../lab/eventually.ts";
import { stateAtRest, untilAsBefore } from "../../lab/instance-state.ts";
import { mochaGlobalSetup, mochaGlobalTeardown } from "../../lab/mocha-hooks.ts";
import { ok } from "../../lab/ok.ts";
import { testRegistry } from "../../lab/registry.ts";
import { groundOf } from "./ground.ts";
import { readScript, writeScript } from "./script.ts";
import { type SoakOptions, soak } from "./soak.ts";

/** See deploy/scripts/soak.sh. Exit code 1: an answer or a state that the model does not know, or something left behind. */
async function main(): Promise<void> {
  const count = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    options: {
      ...{ minutes: count("30"), clients: count("8"), containers: count("50"), "kill-every": count("12") },
      ...{ seed: { type: "string" }, log: { type: "string" }, replay: { type: "string" } },
    },
  });
  const options: SoakOptions = {
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    clients: Number(values.clients),
    slots: Number(values.containers),
    durationMs: Number(values.minutes) * 60_000,
    killEveryMs: Number(values["kill-every"]) * 1_000,
    replayed: values.replay === undefined ? undefined : readScript(values.replay),
  };
  const log = values.log ?? `/var/tmp/ctl-soak-${options.seed}.jsonl`;
  say(`seed ${options.seed}, log ${log}`);
  await mochaGlobalSetup();
  try {
    await check(options, log);
  } finally {
    await mochaGlobalTeardown();
  }
  say(`soak ${process.exitCode === 1 ? "failed" : "ok"}`);
}

async function check(options: SoakOptions, log: string): Promise<void> {
  await using registry = await testRegistry();
  await registry.pushBusybox();
  const registries = { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } };
  await using daemon = await testDaemon({ config: { registries } });
  await ok(daemon, "pull", "busybox");
  await ok(daemon, "run", "--rm", "busybox", "true"); // makes what is made once: the pool, the cgroup's parent
  const before = await stateAtRest(daemon);
  await ok(daemon, "network", "create", "soak");

  const signal = deadline(options.durationMs + 600_000, "soak");
  const { actions, kills, problems } = await soak(groundOf(daemon), writeScript(log, options.seed), options, signal);
  const counts = [...actions].sort(([, a], [, b]) => b - a).map(([name, n]) => `${n} ${name}`);
  say(`${[...actions.values()].reduce((a, b) => a + b, 0)} actions: ${counts.join(", ")}`);
  say(`${kills} kills, ${problems.length} problems`);
  if (problems.length > 0) process.exitCode = 1;

  try {
    await clear(daemon);
    await untilAsBefore(daemon, before, 60_000);
    say("nothing is left behind");
  } catch (error) {
    process.exitCode = 1;
    say(error instanceof Error ? error.message : String(error));
  }
  if (process.exitCode === 1) say(await tailOf(daemon.log, 200));
}

async function clear(daemon: TestDaemon): Promise<void> {
  const ids = async (...command: string[]) => (await ok(daemon, ...command)).split("\n").filter((id) => id !== "");
  const containers = await ids("ps", "-aq", "--no-trunc");
  if (containers.length > 0) await ok(daemon, "rm", "-f", "-v", ...containers);
  await eventually(async () => (await ids("ps", "-aq")).length === 0, 30_000);
  const volumes = await ids("volume", "ls", "-q");
  // --rm -v takes the anonymous ones with it
  if (volumes.some((name) => !name.startsWith("soak-"))) throw new Error(`volumes are left: ${volumes.join(" ")}`);
  if (volumes.length > 0) await ok(daemon, "volume", "rm", ...volumes);
  await ok(daemon, "network", "rm", "soak");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
