import { statfs } from "node:fs/promises";
import { allOf } from "../../kit/parallel.ts";
import type { Deps } from "../deps.ts";
import { attachmentOf } from "../drivers/bridge.ts";
import {
  driverNetworkOf,
  type Endpoint,
  forwardRules,
  type Holding,
  hostPortOf,
  portRules,
  reservedPorts,
  routedFamilies,
} from "../holding.ts";
import { type Family, familyOf } from "../ipam/address.ts";
import { parseSubnet } from "../ipam/subnet.ts";
import { poolWith } from "../network.ts";
import type { PortRule } from "../nftables/ports.ts";
import {
  firstVeth,
  type InterfaceSettings,
  makeSandbox,
  netnsPathOf,
  removeSandbox,
  removeVeth,
  type Sandbox,
  type Veth,
} from "../sandbox/sandbox.ts";

/** NSFS_MAGIC of linux/magic.h: a namespace is mounted there. */
const NSFS = 0x6e736673;

/**
 * Makes the host as an active holding's rows say: interfaces with their addresses, one change of the ruleset. The sandbox
 * is what was taken for it; undefined: whatever of it the host has is found, and the rest made. Done again it changes
 * nothing. 0.5 ms with a sandbox.
 */
export async function bringUp(holding: Holding, taken: Sandbox | undefined, deps: Deps): Promise<void> {
  const sandbox = taken ?? (await presentSandbox(holding, deps));
  const forever = new AbortController().signal;
  await allOf([() => connectAll(holding, sandbox, deps), () => publish(holding, deps)], forever);
}

/** Takes the mappings, the reservations and the sandbox away; the latter a little later. Nothing there is no error. */
export async function takeDown(holding: Holding, keeps: "chosen ports" | "nothing", deps: Deps): Promise<void> {
  // its names first: who asks from now on is not sent to what goes
  if (keeps === "nothing") deps.dns.remove(holding);
  else deps.dns.deactivate(holding);
  const rules = portRules(holding);
  deps.forwarders.remove(holding.holder);
  await deps.ruleset.removePorts(rules);
  await forgetFlows(rules, deps);
  for (const port of holding.ports) {
    if (keeps === "nothing" || !port.isChosen) deps.hostPorts.release(hostPortOf(port), holding.holder);
  }
  const sandbox = sandboxOf(holding, deps);
  if (sandbox !== undefined) deps.removals.add(sandbox);
}

/** Holds the ports that the rows say; one that a program has by now goes on by its mapping, and the log says so. */
export async function reserveAll(holding: Holding, { hostPorts, log }: Pick<Deps, "hostPorts" | "log">): Promise<void> {
  for (const port of reservedPorts(holding)) {
    await hostPorts.reserve(port, holding.holder).catch((error: unknown) => {
      log.warn({ "container.id": holding.holder, err: error }, "published port not held against other programs");
    });
  }
}

/** What the rows say of a holding's sandbox; undefined: it has none. */
export function sandboxOf({ netnsId, endpoints }: Holding, deps: Pick<Deps, "netnsDirectory">): Sandbox | undefined {
  if (netnsId === undefined) return undefined;
  return { id: netnsId, netnsPath: netnsPathOf(deps, netnsId), veths: endpoints.flatMap(vethsOf) };
}

/** Whether a network namespace is mounted there. */
export async function isNamespace(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => type === NSFS,
    () => false,
  );
}

export async function publish(holding: Holding, deps: Pick<Deps, "ruleset" | "thread" | "forwarders">): Promise<void> {
  const rules = portRules(holding);
  await deps.ruleset.changePorts({ add: rules, remove: [] });
  deps.forwarders.put(holding.holder, forwardRules(holding));
  await forgetFlows(rules, deps);
}

/** A client that goes on sending from the port that it had would otherwise be tracked as what it was before the change. */
export async function forgetFlows(rules: readonly PortRule[], { thread }: Pick<Deps, "thread">): Promise<void> {
  const ports = rules.filter(({ protocol }) => protocol === "udp");
  if (ports.length > 0) await thread.call("forgetUdpFlows", ports);
}

async function presentSandbox(holding: Holding, deps: Deps): Promise<Sandbox | undefined> {
  const sandbox = sandboxOf(holding, deps);
  if (sandbox === undefined) return undefined;
  const [first] = holding.endpoints;
  if (!(await isNamespace(sandbox.netnsPath))) {
    await removeSandbox(deps, sandbox); // the mount's file may be left
    for (const veth of sandbox.veths) await removeVeth(deps, veth); // the kernel is not quick with those of a lost namespace
    // the first may be one that was connected later, whose veth has a name of its own
    const isOwn = first?.hostLink === firstVeth(deps, sandbox.id, "").hostLink;
    const attachment = isOwn && first?.network.driver === "bridge" ? attachmentOf(driverNetworkOf(first)) : undefined;
    return makeSandbox(deps, attachment, sandbox.id);
  }
  const links = new Set((await deps.thread.call("listLinks", undefined)).map(({ name }) => name));
  return { ...sandbox, veths: sandbox.veths.filter(({ hostLink }) => links.has(hostLink)) };
}

async function connectAll({ endpoints }: Holding, sandbox: Sandbox | undefined, deps: Deps): Promise<void> {
  if (sandbox === undefined) return;
  for (const endpoint of endpoints) {
    const [veth] = vethsOf(endpoint);
    if (veth === undefined) continue;
    const settings = settingsOf(endpoint, routedFamilies(endpoints, endpoint));
    await deps.drivers[endpoint.network.driver].connect(driverNetworkOf(endpoint), sandbox, veth, settings);
  }
}

export function vethsOf({ network, hostLink, interfaceName }: Endpoint): Veth[] {
  return hostLink === "" ? [] : [{ networkId: network.id, hostLink, interfaceName }];
}

/** What an endpoint's interface is given, with the default routes of these families. */
export function settingsOf(
  { address, address6, mac, network, sysctls }: Endpoint,
  routed: readonly Family[],
): InterfaceSettings {
  const own = [address, address6].filter((one) => one !== "");
  const poolOf = (one: string) => poolWith(network, one);
  return {
    mac,
    addresses: own.map((one) => ({ address: one, prefix: parseSubnet(poolOf(one)?.subnet ?? "").prefix })),
    gateways: own.filter((one) => routed.includes(familyOf(one))).map((one) => poolOf(one)?.gateway ?? ""),
    sysctls,
  };
}
