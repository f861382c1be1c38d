import type { Deps } from "../deps.ts";
import { driverNetworkOf, type Endpoint, forwardRules, type Holding, portRules, routedFamilies } from "../holding.ts";
import { forgetFlows, sandboxOf, settingsOf, vethsOf } from "../host/bring-up.ts";
import type { PortRule } from "../nftables/ports.ts";

export interface Attachment {
  readonly before: Holding;
  readonly after: Holding;
  /** What is new of it. */
  readonly endpoint: Endpoint;
}

/** A new interface for a sandbox that goes on, and the ports where they lead to now. 2 ms. */
export async function attach({ before, after, endpoint }: Attachment, deps: Deps): Promise<void> {
  await configure(after, endpoint, before, deps);
  await changeMappings(before, after, deps);
}

/** The interface of an endpoint as it should be; those in `present` have theirs, the others get one. */
export async function configure(holding: Holding, endpoint: Endpoint, present: Holding, deps: Deps): Promise<void> {
  const sandbox = sandboxOf(present, deps);
  const [veth] = vethsOf(endpoint);
  if (sandbox === undefined || veth === undefined) return;
  const settings = settingsOf(endpoint, routedFamilies(holding.endpoints, endpoint));
  await deps.drivers[endpoint.network.driver].connect(driverNetworkOf(endpoint), sandbox, veth, settings);
}

/** The mappings that differ, in one change: a packet meets the ones or the others. */
export async function changeMappings(before: Holding, after: Holding, deps: Deps): Promise<void> {
  deps.forwarders.put(after.holder, forwardRules(after));
  const [old, now] = [portRules(before), portRules(after)];
  const change = { add: without(now, old), remove: without(old, now) };
  if (change.add.length + change.remove.length === 0) return;
  await deps.ruleset.changePorts(change);
  await forgetFlows([...change.add, ...change.remove], deps);
}

function without(rules: readonly PortRule[], others: readonly PortRule[]): PortRule[] {
  const keys = new Set(others.map((rule) => JSON.stringify(rule)));
  return rules.filter((rule) => !keys.has(JSON.stringify(rule)));
}
