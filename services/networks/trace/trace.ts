import { isIP } from "node:net";
import type { Deps } from "../deps.ts";
import type { Holding } from "../holding.ts";
import { PASS_MARK } from "../nftables/mark.ts";
import type { PortProtocol, PortRule } from "../nftables/ports.ts";
import { readSysctl } from "../sandbox/sysctls.ts";
import { allHoldings } from "../store/holdings.ts";
import { tryConnect } from "./attempt.ts";
import { filterStep } from "./filters.ts";
import { listenerStep } from "./listener-step.ts";
import { resolveDestination } from "./names.ts";
import type { FoundRoute } from "./operations.ts";
import { parseSource } from "./source.ts";
import { passes, type Step, stops, type Way } from "./step.ts";

export interface TraceRequest {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: PortProtocol;
}

export interface Trace {
  readonly steps: readonly Step[];
  readonly isReached: boolean;
}

const NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;

/**
 * The way of a connection as it is now, step by step, up to where it stops. What the steps say is read from the kernel:
 * routes, rules and sockets of the namespaces concerned; at the end a TCP connection is tried, which has the last word.
 * Throws what `parseSource` throws.
 */
export async function trace(request: TraceRequest, deps: Deps, signal: AbortSignal): Promise<Trace> {
  const holdings = await allHoldings(deps.db, deps.node);
  const source = parseSource(request.source, holdings, deps);
  const { address, steps } = await resolveDestination(request.destination, source, holdings, deps, signal);
  if (address === undefined) return { steps, isReached: false };
  const way = { source, address, port: request.port, protocol: request.protocol, holdings };
  const walked = await untilItStops([...steps], walk(way, deps));
  const attempt = await attemptStep(way, deps, signal);
  const all = attempt === undefined ? walked : [...walked, attempt];
  return { steps: all, isReached: attempt?.outcome !== "stops" && (attempt !== undefined || isPassing(walked)) };
}

function isPassing(steps: readonly Step[]): boolean {
  return steps.every(({ outcome }) => outcome !== "stops");
}

async function untilItStops(steps: Step[], walking: AsyncGenerator<Step>): Promise<Step[]> {
  for await (const step of walking) {
    steps.push(step);
    if (step.outcome === "stops") break;
  }
  return steps;
}

async function* walk(way: Way, deps: Deps): AsyncGenerator<Step> {
  if (way.source.kind !== "container") return yield* fromHost(way, undefined, deps);
  const { holding, netnsPath } = way.source;
  const route = await deps.thread.call("findRoute", { netnsPath, address: way.address });
  const endpoint = holding.endpoints.find(({ interfaceName }) => interfaceName === route.linkName);
  if (route.kind === "local") {
    yield passes("route", `${way.address} is the container itself`);
    return yield* listenerStep(way, netnsPath, deps);
  }
  if (route.kind !== "onward" || endpoint === undefined) return yield noRoute(way, holding);
  const { name, bridge } = endpoint.network;
  const next = route.gateway === undefined ? "on the link" : `by the gateway ${route.gateway}`;
  yield passes("route", `${route.linkName} of network ${name}, ${next}, as ${route.source ?? endpoint.address}`);
  const links = await deps.thread.call("listLinks", undefined);
  const isJoined =
    links.find((link) => link.name === endpoint.hostLink)?.masterIndex ===
    links.find((link) => link.name === bridge)?.index;
  yield isJoined
    ? passes("bridge", `${endpoint.hostLink} is a port of ${bridge}`)
    : stops("bridge", `${endpoint.hostLink} is no port of ${bridge}`, "restart the container");
  const from = { iifname: bridge, saddr: route.source ?? endpoint.address };
  if (route.gateway !== undefined || endpoint.network.pools.some(({ gateway }) => gateway === way.address))
    return yield* fromHost(way, from, deps);
  yield* onBridge(way, from, deps);
}

interface From {
  readonly iifname: string;
  readonly saddr: string;
}

/** Rules see what stays on one bridge only where br_netfilter hands it to them. */
async function* onBridge(way: Way, from: From, deps: Deps): AsyncGenerator<Step> {
  const sysctl = way.address.includes(":")
    ? "net/bridge/bridge-nf-call-ip6tables"
    : "net/bridge/bridge-nf-call-iptables";
  if (readSysctl(sysctl) === "1") {
    yield await filterStep(
      "forward",
      { ...packetOf(way, from), oifname: from.iifname, isTranslated: false, mark: PASS_MARK },
      deps,
    );
  }
  yield* listenerStep(way, undefined, deps);
}

/** As it arrives at the host's own network, or (`from` undefined) begins there or outside. */
async function* fromHost(way: Way, arrived: From | undefined, deps: Deps): AsyncGenerator<Step> {
  const from = arrived ?? (await fromOutside(way, deps));
  const route = await find(way.address, deps);
  if (route.kind !== "local") return yield* onward(way, from, route, false, deps);
  if (from !== undefined && isLoopback(way.address)) {
    return yield stops("rules", "the host's loopback addresses are reached by the host alone", "");
  }
  const mapped = mappingOf(way, (await deps.ruleset.read())?.ports ?? []);
  if (mapped === undefined) {
    yield passes("nat", `${way.address}:${way.port} is the host's own, and no published port`);
    yield await filterStep(from === undefined ? "output" : "input", packetOf(way, from), deps);
    return yield* listenerStep(way, "", deps);
  }
  yield passes("nat", `${way.address}:${way.port} is published: to ${mapped.address}:${mapped.containerPort}`);
  const next = { ...way, address: mapped.address, port: mapped.containerPort };
  yield* onward(next, from, await find(mapped.address, deps), true, deps);
}

async function* onward(
  way: Way,
  from: From | undefined,
  route: FoundRoute,
  isTranslated: boolean,
  deps: Deps,
): AsyncGenerator<Step> {
  if (route.kind !== "onward")
    return yield stops("route", `the host has no route to ${way.address}`, "look at `ip route`");
  yield passes(
    "route",
    `the host sends it to ${route.linkName}${route.gateway === undefined ? "" : ` by ${route.gateway}`}`,
  );
  const isTowardsUs = way.holdings.some(({ endpoints }) =>
    endpoints.some(({ network }) => network.bridge === route.linkName),
  );
  const isMarked = (isTranslated && isTowardsUs) || from?.iifname === route.linkName;
  const packet = { ...packetOf(way, from), oifname: route.linkName, isTranslated, mark: isMarked ? PASS_MARK : 0 };
  yield await filterStep(from === undefined ? "output" : "forward", packet, deps);
  yield* listenerStep(way, undefined, deps);
}

/** Undefined: it begins on the host. */
async function fromOutside({ source }: Way, deps: Deps): Promise<From | undefined> {
  if (source.kind !== "outside") return undefined;
  return { iifname: (await find(source.address, deps)).linkName, saddr: source.address };
}

function find(address: string, { thread }: Deps): Promise<FoundRoute> {
  return thread.call("findRoute", { netnsPath: "", address });
}

function packetOf({ address, port, protocol }: Way, from: From | undefined) {
  return { ...from, daddr: address, dport: port, protocol: NUMBERS[protocol], isNew: true, isTranslated: false };
}

function mappingOf({ address, port, protocol }: Way, ports: readonly PortRule[]): PortRule | undefined {
  const fitting = ports.filter(
    (one) => one.hostPort === port && one.protocol === protocol && isIP(one.address) === isIP(address),
  );
  return fitting.find(({ hostIp }) => hostIp === address) ?? fitting.find(({ hostIp }) => hostIp === "");
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function noRoute({ address }: Way, { endpoints }: Holding): Step {
  const internal = endpoints.find(({ network }) => network.isInternal);
  const why = internal === undefined ? "" : `: network ${internal.network.name} is internal`;
  const fix =
    internal === undefined
      ? "ctl network inspect shows the container's networks"
      : "connect it to a network that leads outside";
  return stops("route", `the container has no route to ${address}${why}`, fix);
}

/** Undefined: nothing to try, or from where it would be. */
async function attemptStep(way: Way, { thread }: Deps, signal: AbortSignal): Promise<Step | undefined> {
  const { source, address, port, protocol } = way;
  if (protocol !== "tcp" || source.kind === "outside") return undefined;
  const netnsPath = source.kind === "host" ? "" : source.netnsPath;
  const outcome = await tryConnect(thread, { netnsPath, address, port }, signal);
  if (outcome === "connected") return passes("connect", `${address}:${port} answers`);
  const text = outcome === "silence" ? `${address}:${port} does not answer` : `${address}:${port} answers ${outcome}`;
  return stops("connect", text, "");
}
