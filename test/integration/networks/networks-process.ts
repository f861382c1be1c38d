import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { IDEMPOTENT_METHODS } from "#proto/idempotent-methods.ts";
import type { Database } from "../../../services/kit/database.ts";
import { Channel, connect } from "../../../services/kit/grpc/client.ts";
import { type DetachedProcess, startDetached, tailOf } from "../../lab/detached-process.ts";
import { eventually } from "../../lab/eventually.ts";
import { isServing } from "../../lab/health.ts";
import { testDatabase } from "../../lab/postgres.ts";
import { powerOff, sweepInstance } from "../../lab/sweep.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { refuseRealHost } from "./host.ts";
import { type HostView, hostView, type NetworksClient, newInstance } from "./networks-lab.ts";

/** The networks service as processes of its own, which can be killed. */
export interface NetworksProcesses extends HostView, AsyncDisposable {
  readonly db: Database;
  readonly log: string;
  /** One more replica, ready; with these flags beside the usual ones. */
  start(flags?: readonly string[]): Promise<NetworksReplica>;
  /** As a host that is switched off: no process, mount, link or table is left, nor anything in /run. */
  powerOff(): Promise<void>;
}

export interface NetworksReplica {
  readonly networks: NetworksClient;
  readonly process: DetachedProcess;
  kill(): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../../../services/networks/main.ts", import.meta.url));

export async function networksProcesses(): Promise<NetworksProcesses> {
  await refuseRealHost();
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("networks")).path;
  const database = undo.use(await testDatabase("networks"));
  const instance = newInstance();
  undo.defer(() => sweepInstance(instance, directory));
  const log = join(directory, "log");
  const replicas: NetworksReplica[] = [];
  const start = async (flags: readonly string[] = []) => {
    const socket = join(directory, `${replicas.length}.sock`);
    const args = [
      ...[MAIN, `--root=${join(directory, "root")}`, `--run=${join(directory, "run")}`, "--config=/dev/null"],
      ...[`--database-url=${database.url}`, `--listen=unix:${socket}`, `--instance=${instance}`, "--log-level=debug"],
      ...flags,
    ];
    const process = await startDetached(globalThis.process.execPath, args, { log });
    await eventually(() => isServing(socket), 20_000).catch(async (error: Error) => {
      throw new Error(`the networks service does not start: ${await tailOf(log)}`, { cause: error });
    });
    const channel = new Channel([`unix:${socket}`], IDEMPOTENT_METHODS);
    undone.use(channel);
    const kill = async () => {
      process.signal("SIGKILL");
      await process.ended(5_000);
    };
    const replica = { networks: connect(NetworksService, channel), process, kill };
    replicas.push(replica);
    return replica;
  };
  const undone = undo.move();
  const killAll = async () => {
    for (const replica of replicas) if (replica.process.isRunning()) await replica.kill();
  };
  return {
    ...hostView(database.db, instance, join(directory, "run")),
    db: database.db,
    log,
    start,
    powerOff: async () => {
      await killAll();
      await powerOff(instance, directory);
    },
    [Symbol.asyncDispose]: async () => {
      await killAll();
      await undone.disposeAsync();
    },
  };
}
