import { sleep } from "../kit/deadlines.ts";
import { keepDuty } from "../kit/duty.ts";
import { trimEvents, trimSteps } from "../kit/outbox.ts";
import type { Deps } from "./deps.ts";
import { attachmentOf } from "./drivers/bridge.ts";
import { keepFirewall } from "./host/keep-firewall.ts";
import { driverNetwork } from "./network.ts";
import { type ForwardRule, forwardRule } from "./ports/forward-rules.ts";
import { keyOf } from "./ports/forwarders.ts";
import type { HostPort } from "./ports/host-ports.ts";
import { rebuildTable, reconcile, sweepSandboxes } from "./reconcile.ts";
import { allNetworks } from "./store/networks.ts";
import { type ReservedPortRow, reservedPortRows } from "./store/ports.ts";

const LOOK_MS = 1_000;
const TAKEOVER_MS = 2_000;
const RECONCILE_MS = 60_000;
const EVENTS_KEPT = 100_000;

/** What runs in the background until the signal aborts: this replica's own part, and the node's in one of its replicas. */
export async function keepUp(deps: Deps, signal: AbortSignal): Promise<void> {
  const { db, node, log } = deps;
  await Promise.all([
    keepReplica(deps, signal),
    keepDuty({ name: "upkeep", node, db, log, work: (held) => keepNode(deps, held) }, signal),
  ]);
}

/** What this process holds, as the rows say: sandboxes ready for each network, ports against other programs. */
export async function syncReplica(deps: Deps, signal: AbortSignal): Promise<void> {
  await syncPool(deps);
  await syncReservations(deps, signal);
}

async function keepReplica(deps: Deps, signal: AbortSignal): Promise<void> {
  let sweepAt = performance.now() + RECONCILE_MS;
  while (!signal.aborted) {
    await sleep(LOOK_MS, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      await syncReplica(deps, signal);
      if (performance.now() > sweepAt) {
        sweepAt = performance.now() + RECONCILE_MS;
        await sweepSandboxes(deps);
      }
    } catch (error) {
      if (!signal.aborted) deps.log.debug({ err: error }, "this replica's share not looked after");
    }
  }
}

/** The node's table is looked at each second: who flushes the host's rules flushes ours with them. */
async function keepNode(deps: Deps, signal: AbortSignal): Promise<void> {
  // each replica has reconciled when it started; what one leaves that dies with the duty waits so long
  for (let next = performance.now() + TAKEOVER_MS; !signal.aborted; await sleep(LOOK_MS, signal)) {
    const isIntact = await deps.ruleset.isIntact();
    if (!isIntact) {
      await rebuildTable(deps);
      deps.log.warn("nftables table was changed by somebody: it is as it should be again");
    }
    await keepFirewall(deps, signal).catch((error: unknown) => {
      if (!signal.aborted) deps.log.debug({ err: error }, "the host's firewall not looked after");
    });
    if (isIntact && performance.now() < next) continue;
    await reconcile(deps, signal);
    await trimEvents(deps.db, EVENTS_KEPT);
    await trimSteps(deps.db);
    next = performance.now() + RECONCILE_MS;
  }
}

/** Networks come and go in other replicas too. */
async function syncPool({ db, node, pool, known }: Deps): Promise<void> {
  const all = await allNetworks(db, node);
  known.replace(all);
  const networks = all.filter(({ driver }) => driver === "bridge");
  const ids = new Set(networks.map(({ id }) => id));
  for (const id of pool.networks()) if (!ids.has(id)) await pool.drop(id);
  for (const network of networks) pool.keep(attachmentOf(driverNetwork(network)));
}

async function syncReservations(deps: Deps, signal: AbortSignal): Promise<void> {
  const wanted = byHolder(await reservedPortRows(deps.db, deps.node));
  const held = deps.hostPorts.list();
  const carried = deps.forwarders.list();
  for (const holder of new Set([...wanted.keys(), ...held.keys(), ...carried.keys()])) {
    const rows = wanted.get(holder) ?? [];
    const keys = carried.get(holder) ?? new Set();
    const rules = rulesOf(rows);
    const isCarried = rules.length === keys.size && rules.every((rule) => keys.has(keyOf(rule)));
    if (isCarried && isSame(rows, held.get(holder) ?? [])) continue;
    await settleReservations(holder, deps, signal);
  }
}

function rulesOf(rows: readonly ReservedPortRow[]): ForwardRule[] {
  const active = rows.filter(({ isActive }) => isActive);
  return active.flatMap((row) => forwardRule({ ...row, hostPort: row.port }, { ...row, network: row }) ?? []);
}

/** In the holder's turn, and by rows read in it: what it did between our two looks is no difference. */
async function settleReservations(holder: string, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  const wanted = byHolder(await reservedPortRows(deps.db, deps.node)).get(holder) ?? [];
  const names = new Set(wanted.map(nameOf));
  for (const port of deps.hostPorts.list().get(holder) ?? []) {
    if (!names.has(nameOf(port))) deps.hostPorts.release(port, holder);
  }
  for (const port of wanted) {
    await deps.hostPorts.reserve(port, holder).catch((error: unknown) => {
      deps.log.debug({ "container.id": holder, err: error }, "published port not held against other programs");
    });
  }
  deps.forwarders.put(holder, rulesOf(wanted));
}

function byHolder(rows: readonly ReservedPortRow[]): Map<string, ReservedPortRow[]> {
  const ports = new Map<string, ReservedPortRow[]>();
  for (const row of rows) ports.set(row.holder, [...(ports.get(row.holder) ?? []), row]);
  return ports;
}

function isSame(one: readonly HostPort[], other: readonly HostPort[]): boolean {
  const names = new Set(one.map(nameOf));
  return names.size === other.length && other.every((port) => names.has(nameOf(port)));
}

function nameOf({ hostIp, protocol, port }: HostPort): string {
  return `${protocol} ${port} ${hostIp}`;
}
