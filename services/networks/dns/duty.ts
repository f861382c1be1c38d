import { basename } from "node:path";
import { sleep } from "../../kit/deadlines.ts";
import { keepDuty } from "../../kit/duty.ts";
import type { EventFeed } from "../../kit/watch.ts";
import type { Deps } from "../deps.ts";
import { allHoldings, holdingOf } from "../store/holdings.ts";

const COMPARE_MS = 30_000;

/** Serves the sandboxes' resolver in one of the replicas: from the rows at first, then after each change by any replica. */
export async function keepDns(deps: Deps, feed: EventFeed, signal: AbortSignal): Promise<void> {
  const { db, node, log } = deps;
  await keepDuty({ name: "dns", node, db, log, work: (held) => serve(deps, feed, held) }, signal);
}

async function serve(deps: Deps, feed: EventFeed, signal: AbortSignal): Promise<void> {
  deps.dns.start();
  try {
    // watching begins before the rows are read: what changes in between is looked at twice
    const changes = followChanges(deps, feed, signal);
    await compareWithRows(deps);
    for (const path of deps.pool.paths()) await deps.dns.prepare(basename(path));
    await Promise.all([changes, compareForEver(deps, signal)]);
  } finally {
    deps.dns.stop();
  }
}

async function followChanges(deps: Deps, feed: EventFeed, signal: AbortSignal): Promise<void> {
  for await (const { action, subject, attributes } of feed.watch({ since: "" }, signal)) {
    const holder = attributes["container"];
    // this replica's own changes are known to it by now
    if (holder !== undefined && deps.dns.isKnown(holder, subject) !== (action === "connect"))
      await refresh(holder, deps);
  }
}

/** In the holder's turn, so that an older state never covers a newer one. */
async function refresh(holder: string, { db, node, dns, turns }: Deps): Promise<void> {
  using _turn = await turns.take(holder, new AbortController().signal);
  const holding = await holdingOf(db, node, holder);
  if (holding === undefined) dns.remove({ holder });
  else if (holding.isActive) await dns.put(holding);
  else dns.deactivate(holding);
}

async function compareForEver(deps: Deps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(COMPARE_MS, signal).catch(() => {});
    if (!signal.aborted) await compareWithRows(deps);
  }
}

/** Level-triggered: whatever was missed is right again after this. */
async function compareWithRows(deps: Deps): Promise<void> {
  const holdings = await allHoldings(deps.db, deps.node);
  const wanted = new Set(holdings.map(({ holder }) => holder));
  const outdated = holdings.filter((holding) => !deps.dns.isCurrent(holding)).map(({ holder }) => holder);
  const gone = deps.dns.holders().filter((holder) => !wanted.has(holder));
  for (const holder of [...outdated, ...gone]) await refresh(holder, deps);
}
