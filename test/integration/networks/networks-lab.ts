import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { AcquireRequest, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import type { ServiceClient } from "../../../services/kit/grpc/client.ts";
import { type HostNames, hostNames } from "../../../services/networks/names.ts";
import { startNetworks } from "../../../services/networks/service.ts";
import { networksSettings } from "../../../services/networks/settings.ts";
import { testRun } from "../../lab/run-directory.ts";
import { type ServiceInProcess, serviceInProcess } from "../../lab/service.ts";
import { sweepInstance } from "../../lab/sweep.ts";
import { refuseRealHost } from "./host.ts";

export type NetworksClient = ServiceClient<typeof NetworksService>;

export interface NetworksLab extends ServiceInProcess {
  readonly networks: NetworksClient;
  readonly instance: string;
  readonly names: HostNames;
  /** Its directory of what a reboot takes away. */
  readonly run: string;
  /** Paths of the sandboxes that rows own, and of all there are. */
  sandboxes(): Promise<{ owned: string[]; all: string[] }>;
}

/** The networks service on the test's own host; what it leaves there goes with it. */
export async function networksLab(flags: readonly string[] = []): Promise<NetworksLab> {
  await refuseRealHost();
  const instance = `${testRun().name}-${randomBytes(3).toString("hex")}`;
  const service = await serviceInProcess({ name: "networks", settings: networksSettings, start: startNetworks }, [
    `--instance=${instance}`,
    ...flags,
  ]);
  const run = join(service.root, "../run");
  return {
    ...service,
    networks: service.client(NetworksService),
    instance,
    names: hostNames(instance),
    run,
    sandboxes: async () => {
      const { rows } = await service.db.query<{ id: string }>(
        "select netns_id as id from sandboxes where netns_id is not null order by netns_id",
      );
      return { owned: rows.map(({ id }) => id), all: await readdir(join(run, "networks/netns")).catch(() => []) };
    },
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await sweepInstance(instance, join(service.root, ".."));
    },
  };
}

/** What every call is given. */
export function call() {
  return { signal: deadline(10_000, "call the networks service") };
}

export function acquireRequest(
  name: string,
  more: Parameters<typeof AcquireRequest.fromPartial>[0] = {},
): AcquireRequest {
  return AcquireRequest.fromPartial({ holder: holder(name), holderName: name, ...more });
}

export function holder(name: string, operation = `start-${name}`) {
  return { holder: name, operation };
}
