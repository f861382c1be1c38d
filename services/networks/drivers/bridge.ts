import { CtlError } from "../../kit/errors.ts";
import { FAMILIES, familyOf } from "../ipam/address.ts";
import { macOfBytes } from "../ipam/mac.ts";
import { parseSubnet } from "../ipam/subnet.ts";
import { type GatewayMode, gatewayMode } from "../network.ts";
import type { BridgeRules } from "../nftables/bridges.ts";
import type { Ruleset } from "../nftables/ruleset.ts";
import {
  type Attachment,
  addVeth,
  configureInterface,
  type InterfaceSettings,
  removeVeth,
  type Sandbox,
  type SandboxDeps,
  type Veth,
} from "../sandbox/sandbox.ts";
import type { Sysctls } from "../sandbox/sysctls.ts";
import type { WarmPool } from "../sandbox/warm-pool.ts";
import type { DriverNetwork, NetworkDriver } from "./driver.ts";

export interface BridgeDeps extends SandboxDeps {
  readonly ruleset: Ruleset;
  readonly pool: WarmPool;
}

/** A bridge per network, a veth pair per endpoint, the host as their gateway. Forwarding must be on (forwarding.ts). */
export function bridgeDriver(deps: BridgeDeps): NetworkDriver {
  return {
    ensure: (network) => ensureBridge(deps, network),
    remove: (network) => removeBridge(deps, network),
    open: (network) => deps.pool.take(attachmentOf(network)),
    connect: (network, sandbox, veth, settings) => connect(deps, network, sandbox, veth, settings),
    disconnect: (_network, veth) => removeVeth(deps, veth),
  };
}

/** How a sandbox hangs on this network: also what the warm pool is told to keep. */
export function attachmentOf(network: DriverNetwork): Attachment {
  return {
    networkId: network.id,
    bridge: network.bridge,
    hasIpv6: network.pools.some((pool) => pool.subnet.includes(":")),
    ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
    ...(network.settings?.isIsolated === true ? { isIsolated: true } : {}),
    ...(network.settings?.interfacePrefix === undefined ? {} : { interfacePrefix: network.settings.interfacePrefix }),
  };
}

export function bridgeRulesOf(network: DriverNetwork): BridgeRules {
  return {
    name: network.bridge,
    subnets: network.pools.map((pool) => pool.subnet),
    isInternal: network.isInternal,
    isMasqueraded: network.isMasqueraded,
    ...(network.settings?.isIsolated === true ? { isIsolated: true } : {}),
    ...familiesIn("unprotected", "nat-unprotected", network),
    ...familiesIn("routed", "routed", network),
  };
}

function familiesIn<K extends "unprotected" | "routed">(key: K, mode: GatewayMode, network: DriverNetwork) {
  const families = FAMILIES.filter((family) => gatewayMode(network, family) === mode);
  return families.length === 0 ? {} : { [key]: families };
}

/** The bridge's own addresses: none of a family whose gateway is somebody else's, or nobody's. */
function bridgeAddresses({ pools, ...network }: DriverNetwork) {
  const own = pools.filter(({ gateway }) => {
    const isInhibited = familyOf(gateway) === 4 && network.settings?.hasNoIpv4Gateway === true;
    return !isInhibited && gatewayMode(network, familyOf(gateway)) !== "isolated";
  });
  return own.map(({ gateway, subnet }) => ({ address: gateway, prefix: parseSubnet(subnet).prefix }));
}

/** The rules before the link: with route_localnet and without its guard the host's loopback would be open for a moment. */
async function ensureBridge(deps: BridgeDeps, network: DriverNetwork): Promise<void> {
  await deps.ruleset.addBridge(bridgeRulesOf(network));
  const outcome = await deps.thread.call("ensureBridge", {
    name: network.bridge,
    mac: macOfBytes(Buffer.from(network.id.slice(0, 8), "hex")),
    alias: aliasOf(deps, network),
    addresses: bridgeAddresses(network),
    sysctls: bridgeSysctls(attachmentOf(network)),
    ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
  });
  if (outcome !== "not ours") return;
  await deps.ruleset.removeBridge(bridgeRulesOf(network));
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "LINK_NAME_IN_USE",
    what: `make the bridge ${network.bridge}`,
    why: "the host has a link of that name that this daemon did not make",
    fix: `rename or delete it (ip link delete ${network.bridge}), or run the daemon as another --instance`,
  });
}

async function removeBridge(deps: BridgeDeps, network: DriverNetwork): Promise<void> {
  await deps.pool.drop(network.id);
  await deps.thread.call("removeBridge", { name: network.bridge, alias: aliasOf(deps, network) });
  await deps.ruleset.removeBridge(bridgeRulesOf(network));
}

async function connect(
  deps: BridgeDeps,
  network: DriverNetwork,
  sandbox: Sandbox,
  veth: Veth,
  settings: InterfaceSettings,
): Promise<void> {
  const isThere = sandbox.veths.some(({ hostLink }) => hostLink === veth.hostLink);
  if (!isThere) await addVeth(deps, sandbox.netnsPath, veth, attachmentOf(network));
  try {
    await configureInterface(deps, sandbox.netnsPath, veth, settings);
  } catch (error) {
    if (!isThere) await removeVeth(deps, veth);
    throw error;
  }
}

function aliasOf(deps: BridgeDeps, network: DriverNetwork): string {
  return `${deps.names.aliasPrefix}${network.id}`;
}

/** route_localnet lets 127.0.0.1:PORT of the host be translated to a container; nftables/table.ts guards it. */
function bridgeSysctls({ bridge, hasIpv6 }: Attachment): Sysctls {
  return {
    [`net/ipv4/conf/${bridge}/route_localnet`]: "1",
    [`net/ipv4/conf/${bridge}/forwarding`]: "1",
    [`net/ipv6/conf/${bridge}/accept_ra`]: "0",
    // for as long as its link-local address is doubted it asks for no neighbour on behalf of what it forwards
    [`net/ipv6/conf/${bridge}/accept_dad`]: "0",
    [`net/ipv6/conf/${bridge}/disable_ipv6`]: hasIpv6 ? "0" : "1",
  };
}
