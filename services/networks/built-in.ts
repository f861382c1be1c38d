import { randomBytes } from "node:crypto";
import { violates } from "../kit/database.ts";
import { isCtlError } from "../kit/errors.ts";
import { makeWithAddresses } from "./create.ts";
import type { Deps } from "./deps.ts";
import { BUILT_IN_NAMES, type DriverName } from "./network.ts";
import { allNetworks, insertNetwork, type NewNetwork } from "./store/networks.ts";

/** The networks that every node has: their rows are made at its first start, with a subnet that nothing else has. */
export async function ensureBuiltIns(deps: Deps, signal: AbortSignal): Promise<void> {
  const present = new Set((await allNetworks(deps.db, deps.node)).map(({ name }) => name));
  for (const name of BUILT_IN_NAMES) {
    if (present.has(name)) continue;
    try {
      if (name === "bridge") await makeDefaultBridge(deps, signal);
      else await insertNetwork(deps.db, deps.node, builtIn(name));
    } catch (error) {
      const isThere = violates(error, "networks_name") || (isCtlError(error) && error.reason === "NETWORK_NAME_IN_USE");
      if (!isThere) throw error; // another replica starts at the same time
    }
  }
}

async function makeDefaultBridge(deps: Deps, signal: AbortSignal): Promise<void> {
  const bridge = deps.names.defaultBridge;
  const options = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": bridge,
    "com.docker.network.driver.mtu": "1500",
  };
  const wish = { name: "bridge", addresses: { families: [4 as const], plans: [] } };
  await makeWithAddresses((pools) => ({ ...builtIn("bridge"), bridge, options, pools }), wish, deps, signal);
}

function builtIn(name: DriverName): NewNetwork {
  return {
    id: randomBytes(32).toString("hex"),
    name,
    driver: name,
    bridge: "",
    isBuiltIn: true,
    isInternal: false,
    isAttachable: false,
    isMasqueraded: true,
    mtu: undefined,
    settings: {},
    pools: [],
    labels: {},
    options: {},
  };
}
