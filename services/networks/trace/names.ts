import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Deps } from "../deps.ts";
import { isAsking } from "../dns/dns.ts";
import type { Holding } from "../holding.ts";
import { askResolver, type Resolved } from "./attempt.ts";
import { findContainer, type Source } from "./source.ts";
import type { Step } from "./step.ts";

export interface Named {
  /** Undefined: it stops here. */
  readonly address: string | undefined;
  readonly steps: readonly Step[];
}

/** What the destination means to the source: by its own resolver, as its programs ask it. */
export async function resolveDestination(
  name: string,
  source: Source,
  holdings: readonly Holding[],
  deps: Pick<Deps, "thread">,
  signal: AbortSignal,
): Promise<Named> {
  if (isIP(name) !== 0) return { address: name, steps: [] };
  if (source.kind !== "container") return ofHost(name, holdings);
  if (!isAsking(source.holding)) return nobody(name, "the container has no network, and so no resolver", "");
  const { rcode, addresses } = await ask(name, source.netnsPath, deps, signal);
  const [address] = addresses;
  if (address === undefined) {
    const why = rcode === "silence" ? "the container's resolver does not answer" : `the answer is ${rcode}`;
    return nobody(name, why, hint(name, source.holding, holdings));
  }
  const others = addresses.length === 1 ? "" : `, and ${addresses.length - 1} more in turn`;
  return { address, steps: [{ stage: "dns", outcome: "passes", text: `${name} is ${address}${others}`, fix: "" }] };
}

async function ask(
  name: string,
  netnsPath: string,
  { thread }: Pick<Deps, "thread">,
  signal: AbortSignal,
): Promise<Resolved> {
  if (name === "localhost") return { rcode: "NOERROR", addresses: ["127.0.0.1"] };
  const first = await askResolver(thread, { netnsPath, name, type: "A" }, signal);
  if (first.addresses.length > 0 || first.rcode !== "NOERROR") return first;
  return askResolver(thread, { netnsPath, name, type: "AAAA" }, signal);
}

/** The host knows no containers' names; who asks about one is told of its address. */
async function ofHost(name: string, holdings: readonly Holding[]): Promise<Named> {
  const container = findContainer(name, holdings)?.endpoints.find(({ address }) => address !== "");
  if (container !== undefined) {
    const text = `the host does not know the names of containers; container ${name} has ${container.address}`;
    return { address: container.address, steps: [{ stage: "dns", outcome: "unknown", text, fix: "" }] };
  }
  const found = await lookup(name).catch(() => undefined);
  if (found === undefined) return nobody(name, "neither the host's resolvers nor a container knows it", "");
  const text = `${name} is ${found.address} to the host`;
  return { address: found.address, steps: [{ stage: "dns", outcome: "passes", text, fix: "" }] };
}

function nobody(name: string, why: string, fix: string): Named {
  return { address: undefined, steps: [{ stage: "dns", outcome: "stops", text: `nobody knows ${name}: ${why}`, fix }] };
}

/** Why a container is not known by its name. */
function hint(name: string, { holderName, endpoints }: Holding, holdings: readonly Holding[]): string {
  const wanted = findContainer(name, holdings);
  if (wanted === undefined) return "";
  if (!wanted.isActive) return `start it (ctl start ${name})`;
  const shared = endpoints.filter((one) => wanted.endpoints.some(({ network }) => network.id === one.network.id));
  if (shared.some(({ network }) => network.name !== "bridge")) return "";
  const [target] = wanted.endpoints.filter(({ network }) => network.driver === "bridge" && network.name !== "bridge");
  if (target !== undefined) return `they share no network: ctl network connect ${target.network.name} ${holderName}`;
  return "on the default network containers have no names: put both on a network that you made (ctl network create)";
}
