import { join } from "node:path";
import pg from "pg";
import { sleep } from "../services/kit/deadlines.ts";
import { type TestDaemon, testDaemon } from "../test/lab/daemon.ts";
import { ok } from "../test/lab/ok.ts";
import { testRegistry } from "../test/lab/registry.ts";
import { type Bench, say } from "./lab/bench.ts";
import { describeMachine } from "./lab/machine.ts";
import { verdict } from "./lab/verdict.ts";

const RUNS = 10;
const LIMIT = 6;
/** For what goes on behind the answer (the warm pool, events). */
const SETTLE_MS = 2_000;

/** How many transactions that write a `run -d` costs, all services and the gateway together: each is an fsync. */
export const bench: Bench = async (_options, signal) => {
  await using registry = await testRegistry();
  await registry.pushBusybox();
  const mirrors = [{ url: registry.url }];
  await using daemon = await testDaemon({ config: { registries: { "docker.io": { mirrors } } } });
  await ok(daemon, "run", "-d", "busybox", "sleep", "600");
  say(`machine  ${await describeMachine()}`);
  say(`ctl      ${await ok(daemon, "version", "--format", "{{.Server.Version}}")}`);

  const idle = await transactionsDuring(daemon, async () => await sleep(SETTLE_MS, signal), signal);
  const busy = await transactionsDuring(
    daemon,
    async () => {
      for (let run = 0; run < RUNS; run++) await ok(daemon, "run", "-d", "busybox", "sleep", "600");
    },
    signal,
  );

  const perRun = busy / RUNS;
  say(`\n${busy} transactions that write for ${RUNS} runs, ${idle} in ${(2 * SETTLE_MS) / 1000} s without one`);
  return [verdict("run-commits", perRun, LIMIT)];
};

/** Transaction ids are given to transactions that write, and to no others. */
async function transactionsDuring(daemon: TestDaemon, work: () => Promise<void>, signal: AbortSignal): Promise<number> {
  const before = await nextTransaction(daemon);
  await work();
  await sleep(SETTLE_MS, signal);
  return (await nextTransaction(daemon)) - before;
}

async function nextTransaction(daemon: TestDaemon): Promise<number> {
  const client = new pg.Client({ host: join(daemon.run, "postgres"), port: 5432, user: "ctl", database: "ctl" });
  await client.connect();
  try {
    const { rows } = await client.query<{ next: string }>("select pg_snapshot_xmax(pg_current_snapshot()) as next");
    return Number(rows[0]?.next);
  } finally {
    await client.end();
  }
}
