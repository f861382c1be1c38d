import { parseArgs } from "node:util";
import { deadline } from "../../services/kit/deadlines.ts";
import { type TestDaemon, testDaemon } from "../lab/daemon.ts";
import { daemonProcesses } from "../lab/daemon-processes.ts";
import { eventually } from "../lab/eventually.ts";
import { instanceState, stateAtRest, untilAsBefore } from "../lab/instance-state.ts";
import type { HostState } from "../lab/leak-check.ts";
import { mochaGlobalSetup, mochaGlobalTeardown } from "../lab/mocha-hooks.ts";
import { ok } from "../lab/ok.ts";
import { testRegistry } from "../lab/registry.ts";
import { interruptions, runInterrupted } from "./interrupted-runs.ts";

/** See deploy/scripts/leakcheck.sh. Exit code 1: something is left behind, or went missing. */
async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const count = (value: string) => ({ type: "string", default: value }) as const;
  const options = { root: text, run: text, instance: text, runs: count("100"), interrupted: count("20") };
  const { root, run, instance, runs, interrupted } = parseArgs({ options }).values;
  if (root !== undefined && run !== undefined && instance !== undefined) {
    show("", await instanceState({ root, run, instance }));
    return;
  }
  await mochaGlobalSetup();
  try {
    await check(Number(runs), Number(interrupted));
  } finally {
    await mochaGlobalTeardown();
  }
  say(`leakcheck ${process.exitCode === 1 ? "failed" : "ok"}`);
}

async function check(runs: number, interrupted: number): Promise<void> {
  await using registry = await testRegistry();
  await registry.pushBusybox();
  const mirrors = [{ url: registry.url }];
  await using daemon = await testDaemon({ config: { registries: { "docker.io": { mirrors } } } });
  await ok(daemon, "pull", "busybox");
  await ok(daemon, "run", "--rm", "busybox", "true"); // makes what is made once: the pool, the cgroup's parent
  const before = await stateAtRest(daemon);
  show("at rest", before);

  for (let index = 0; index < runs; index++) await ok(daemon, "run", "--rm", "busybox", "true");
  await compare(`after ${runs} runs`, daemon, before);

  const signal = deadline(600_000, "interrupt runs");
  for (const interruption of interruptions(interrupted)) {
    say(`  ${await runInterrupted(daemon, interruption, signal)}`);
  }
  await compare(`after ${interrupted} interrupted runs`, daemon, before);
}

async function compare(title: string, daemon: TestDaemon, before: HostState): Promise<void> {
  try {
    await eventually(async () => (await ok(daemon, "ps", "-aq")) === "", 30_000);
    await untilAsBefore(daemon, before, 30_000);
    say(`${title}: no difference`);
  } catch (error) {
    say(`${title}: ${error instanceof Error ? error.message : error}`);
    say(await ok(daemon, "ps", "-a").catch(String));
    for (const { role, identity, command } of await daemonProcesses(daemon)) say(`${role} ${identity.pid} ${command}`);
    process.exitCode = 1;
  }
  show(title, await instanceState(daemon));
}

function show(title: string, state: HostState): void {
  const counts = Object.entries(state).map(([kind, names]) => `${names.length} ${kind}`);
  say(`${title === "" ? "" : `${title}: `}${counts.join(", ")}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
