import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { AcquireRequest, CreateNetworkRequest, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { runCommand } from "../../../services/kit/command.ts";
import type { Database } from "../../../services/kit/database.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import type { ServiceClient } from "../../../services/kit/grpc/client.ts";
import { type HostNames, hostNames } from "../../../services/networks/names.ts";
import { parseTable } from "../../../services/networks/nftables/listing.ts";
import type { PortRule } from "../../../services/networks/nftables/ports.ts";
import { startNetworks } from "../../../services/networks/service.ts";
import { networksSettings } from "../../../services/networks/settings.ts";
import { eventually } from "../../lab/eventually.ts";
import { testRun } from "../../lab/run-directory.ts";
import { type ServiceInProcess, serviceInProcess } from "../../lab/service.ts";
import { sweepInstance } from "../../lab/sweep.ts";
import { refuseRealHost } from "./host.ts";

export type NetworksClient = ServiceClient<typeof NetworksService>;

export interface NetworksLab extends ServiceInProcess, HostView {
  readonly networks: NetworksClient;
}

/** The networks service on the test's own host; what it leaves there goes with it. */
export async function networksLab(flags: readonly string[] = []): Promise<NetworksLab> {
  await refuseRealHost();
  const instance = newInstance();
  const service = await serviceInProcess({ name: "networks", settings: networksSettings, start: startNetworks }, [
    `--instance=${instance}`,
    ...flags,
  ]);
  const networks = service.client(NetworksService);
  const view = hostView(service.db, instance, join(service.root, "../run"));
  return {
    ...service,
    ...view,
    networks,
    [Symbol.asyncDispose]: async () => {
      // mounts below the directory would keep it from being removed
      const { rows } = await service.db.query<{ holder: string }>("select holder from sandboxes");
      for (const { holder } of rows) await networks.release({ holder }, call());
      await runCommand("umount", ["--lazy", view.netnsDirectory], { signal: deadline(5_000, "unmount") });
      await service[Symbol.asyncDispose]();
      await sweepInstance(instance, join(service.root, ".."));
    },
  };
}

export function newInstance(): string {
  return `${testRun().name}-${randomBytes(3).toString("hex")}`;
}

/** What rows and host say, as a test compares them. */
export interface HostView {
  readonly instance: string;
  readonly names: HostNames;
  readonly netnsDirectory: string;
  rows(): Promise<{ sandboxes: number; endpoints: unknown[]; ports: unknown[] }>;
  /** Once the background's work is done: mappings, and namespaces that rows own; what nobody owns makes it fail. */
  hostState(): Promise<{ ports: readonly PortRule[]; owned: string[] }>;
}

/** A pool is full with so many for each bridge network, of 12 altogether. */
const POOL_SIZE = 4;

export function hostView(db: Database, instance: string, run: string): HostView {
  const names = hostNames(instance);
  const netnsDirectory = join(run, "networks/netns");
  const rowsOf = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await db.query<Record<string, unknown>>(sql)).rows;
  const ids = async (sql: string) => (await rowsOf(sql)).map((row) => String(row["id"]));
  return {
    instance,
    names,
    netnsDirectory,
    rows: async () => ({
      sandboxes: (await rowsOf("select from sandboxes")).length,
      endpoints: await rowsOf("select holder, network_id, host(address) as address from endpoints order by 1, 2"),
      ports: await rowsOf(
        "select endpoint_id, protocol, host::text, host_port, container_port, is_active from published_ports order by 1, 4",
      ),
    }),
    hostState: () =>
      eventually(async () => {
        const owned = await ids("select netns_id as id from sandboxes where netns_id is not null order by 1");
        const bridges = await ids("select id from networks where driver = 'bridge'");
        const found: string[] = await readdir(netnsDirectory).catch(() => []);
        const pooled = Math.min(bridges.length * POOL_SIZE, 12);
        const missing = owned.filter((id) => !found.includes(id));
        if (missing.length > 0) throw new Error(`namespaces are missing: ${missing.join(", ")}`);
        if (found.length !== owned.length + pooled) {
          throw new Error(`${found.length} namespaces, ${owned.length} owned by rows, ${pooled} in the pool`);
        }
        return { ports: (await tableOf(names)).ports, owned };
      }, 10_000),
  };
}

export async function tableOf({ table }: HostNames) {
  const args = ["-j", "-n", "list", "table", "inet", table];
  const { stdout, stderr, exitCode } = await runCommand("nft", args, { signal: deadline(5_000, "list the table") });
  if (exitCode !== 0) throw new Error(stderr);
  return parseTable(stdout);
}

/** What every call is given. */
export function call() {
  return { signal: deadline(10_000, "call the networks service") };
}

/** What is left out has its default, also within lists. */
type Partly<T> = { [K in keyof T]?: T[K] extends (infer E)[] ? Partial<E>[] : T[K] };

export function acquireRequest(name: string, more: Partly<AcquireRequest> = {}): AcquireRequest {
  return AcquireRequest.fromPartial({ holder: holder(name), holderName: name, ...more });
}

export function networkRequest(name: string, more: Partly<CreateNetworkRequest> = {}): CreateNetworkRequest {
  return CreateNetworkRequest.fromPartial({ name, ...more });
}

export function holder(name: string, operation = `start-${name}`) {
  return { holder: name, operation };
}
