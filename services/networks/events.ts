import type { Db } from "../kit/database.ts";
import { recordEvent } from "../kit/outbox.ts";
import { SCHEMA } from "./deps.ts";
import type { Endpoint, Port } from "./holding.ts";
import type { NetworkFacts } from "./network.ts";

/** Docker's events of networks, with its attributes. */
export async function recordNetworkEvent(
  tx: Db,
  action: "create" | "destroy",
  network: Pick<NetworkFacts, "id" | "name" | "driver">,
): Promise<void> {
  await recordEvent(tx, SCHEMA, { type: "network", action, subject: network.id, attributes: factsOf(network) });
}

/** One for each network that the holder comes to, or leaves. */
export async function recordEndpointEvents(
  tx: Db,
  action: "connect" | "disconnect",
  holder: string,
  endpoints: readonly { readonly network: Endpoint["network"] }[],
): Promise<void> {
  for (const { network } of endpoints) {
    const attributes = { container: holder, ...factsOf(network) };
    await recordEvent(tx, SCHEMA, { type: "network", action, subject: network.id, attributes });
  }
}

/** One for each port that leads to a container from now on, or no longer. */
export async function recordPortEvents(
  tx: Db,
  action: "publish" | "unpublish",
  holder: string,
  ports: readonly Port[],
): Promise<void> {
  for (const { hostIp, hostPort, containerPort, protocol } of ports) {
    const attributes = { hostIp, hostPort: String(hostPort), containerPort: String(containerPort), protocol };
    await recordEvent(tx, SCHEMA, { type: "container", action, subject: holder, attributes });
  }
}

/** Docker's driver of the network `none` is called `null`. */
function factsOf({ name, driver }: Pick<NetworkFacts, "name" | "driver">): Record<string, string> {
  return { name, type: driver === "none" ? "null" : driver };
}
