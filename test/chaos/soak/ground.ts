import pg from "pg";
import type { CommandResult } from "../../../services/kit/command.ts";
import { sleep } from "../../../services/kit/deadlines.ts";
import type { DaemonProcess, TestDaemon } from "../../lab/daemon.ts";
import { eventually } from "../../lab/eventually.ts";

/** What a call ended with, and whether a process of the daemon was killed while it was under way. */
export interface Seen extends Pick<CommandResult, "exitCode" | "stdout" | "stderr"> {
  readonly isDisturbed: boolean;
}

/** The daemon under test, and when it was disturbed. */
export interface Ground {
  readonly daemon: TestDaemon;
  call(args: readonly string[], stdin?: string): Promise<Seen>;
  /** A call that only looks: again where a kill came in its way. */
  read(args: readonly string[]): Promise<Seen>;
  /** kill -9 of one process, and the wait until the daemon serves again. */
  disturb(victim: DaemonProcess, signal: AbortSignal): Promise<void>;
  /** Waits until what was begun before now, and outlived its gateway or service, is finished or undone. */
  untilOperationsEnd(): Promise<void>;
}

/** What each of them, serving again, answers. */
const LOOK: Readonly<Record<DaemonProcess, readonly string[]>> = {
  gateway: ["ps", "-q"],
  postgres: ["ps", "-q"],
  containers: ["ps", "-q"],
  images: ["images", "-q"],
  networks: ["network", "ls", "-q"],
  volumes: ["volume", "ls", "-q"],
};
const CALL_TIMEOUT_MS = 120_000;
/** A call that began right behind a recovery may still meet a connection of the one that was killed. */
const AFTERMATH_MS = 1_000;

export function groundOf(daemon: TestDaemon): Ground {
  const disturbances: { readonly from: number; to: number }[] = [];
  const isDisturbed = (from: number, to: number) =>
    disturbances.some((one) => one.from <= to && from <= one.to + AFTERMATH_MS);
  const call = async (args: readonly string[], stdin = ""): Promise<Seen> => {
    const from = performance.now();
    await using program = daemon.startCtl(args);
    program.write(stdin);
    program.closeStdin();
    const exitCode = await program.exitCode(CALL_TIMEOUT_MS);
    const output = { stdout: program.stdout(), stderr: program.stderr() };
    return { exitCode, ...output, isDisturbed: isDisturbed(from, performance.now()) };
  };
  return {
    daemon,
    call,
    read: async (args) => {
      for (let left = 100; ; left--) {
        const seen = await call(args);
        if (!seen.isDisturbed || seen.exitCode === 0 || left === 0 || /no such/i.test(seen.stderr)) return seen;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    disturb: async (victim, signal) => {
      const disturbance = { from: performance.now(), to: Number.POSITIVE_INFINITY };
      disturbances.push(disturbance);
      await daemon.kill(victim);
      if (victim === "gateway") {
        await sleep(200, signal);
        await daemon.start();
      }
      await eventually(async () => (await daemon.pidOf(victim)) !== undefined, 60_000);
      await eventually(async () => (await daemon.ctl(...LOOK[victim])).exitCode === 0, 60_000);
      disturbance.to = performance.now();
    },
    untilOperationsEnd: () => untilOperationsEnd(daemon),
  };
}

/** Operations of the gateway, and restarts that the containers service carries out whatever became of their caller. */
const UNDER_WAY = `select kind || ' ' || id as key from gateway.operations where finished_at is null
  union all select 'restart of ' || name || ' after run ' || run from containers.containers
   where wants_restart or wants_start or state = 'restarting'`;

async function untilOperationsEnd(daemon: TestDaemon): Promise<void> {
  const client = new pg.Client({ host: `${daemon.run}/postgres`, port: 5432, user: "ctl", database: "ctl" });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows: begun } = await client.query<{ key: string }>(UNDER_WAY);
    const keys = begun.map(({ key }) => key);
    await eventually(async () => {
      const { rows } = await client.query<{ key: string }>(`select key from (${UNDER_WAY}) x where key = any($1)`, [
        keys,
      ]);
      if (rows.length > 0) throw new Error(`operations do not end: ${JSON.stringify(rows)}`);
      return true;
    }, 90_000);
  } finally {
    await client.end().catch(() => {});
  }
}
