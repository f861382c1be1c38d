import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deadline } from "../kit/deadlines.ts";
import { readProcessStat } from "../kit/linux/process-identity.ts";
import { recordEvent } from "../kit/outbox.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { containerEvent } from "./events.ts";
import { type ExitDeps, policyOf, recordEnd } from "./exits/exit.ts";
import { afterDaemonStart } from "./exits/restart-policy.ts";
import { isUp } from "./lifecycle.ts";
import { containerPaths, containersDirectory } from "./paths.ts";
import { isMounted } from "./rootfs/overlay.ts";
import { takeDownAll, takeDownRootfs, takeDownRun } from "./run/take-down.ts";
import { stateRoots } from "./runtime/known-run.ts";
import { isContainerId } from "./spec/spec.ts";
import { allContainers, type ContainerRow, containerById, recordExit } from "./store/containers.ts";
import { wantStartAfterBoot } from "./store/due.ts";

/** What Docker gives a container whose end nobody saw: the machine went down under it. */
const LOST_EXIT_CODE = 255;
const MONITOR_GRACE_MS = 2_000;
const ROUND_TIMEOUT_MS = 60_000;

export interface ReconcileDeps extends ExitDeps {
  readonly node: string;
  /** Gone after a reboot: how one is known where the boot id is the same (a bare root whose processes all ended). */
  readonly epochFile: string;
}

/** What a round saw that only counts when the next one sees it too. */
export interface Suspicions {
  readonly deadSinceMs: Map<string, number>;
  readonly mounted: Set<string>;
}

export function noSuspicions(): Suspicions {
  return { deadSinceMs: new Map(), mounted: new Set() };
}

/**
 * After a boot: what ran is recorded as lost, and what a policy wants is named as due for the gateway. `always` starts
 * also what a person had stopped, as Docker's daemon does when it starts.
 */
export async function reconcileBoot(deps: ReconcileDeps): Promise<void> {
  const { db, node, epochFile, host, log } = deps;
  const known = (await readFile(epochFile, "utf8").catch(() => "")).trim();
  if (known === host.bootId) return;
  let wanted = 0;
  for (const row of await allContainers(db, node)) {
    if (isUp(row.state) && (await isRunning(row))) continue;
    if (row.state === "removing" || row.run === 0) continue;
    const lost = isUp(row.state) ? await recordLost(row, deps, false) : row;
    const last = { exitCode: lost.exit_code ?? 0, isStoppedByUser: lost.is_stopped_by_user };
    if (row.auto_remove || !afterDaemonStart(policyOf(row), last)) continue;
    await wantStartAfterBoot(db, lost.id);
    wanted++;
  }
  await writeFile(epochFile, `${host.bootId}\n`);
  if (wanted > 0) log.info({ "ctl.containers": wanted }, "containers wait for their start after a boot");
}

/**
 * Compares rows and host and mends both ways: rows whose process is gone without a word of its monitor, runs and
 * directories without a row, roots that stay mounted for nobody. Reports what it mended.
 */
export async function reconcile(deps: ReconcileDeps, suspicions: Suspicions): Promise<void> {
  const rows = await allContainers(deps.db, deps.node);
  await recordSilentEnds(rows, deps, suspicions);
  await removeStrayRuns(rows, deps);
  await removeStrayDirectories(rows, deps);
  await unmountIdleRoots(rows, deps, suspicions);
}

async function recordSilentEnds(rows: readonly ContainerRow[], deps: ReconcileDeps, { deadSinceMs }: Suspicions) {
  for (const row of rows) {
    if (row.pid === 0 || (await isRunning(row)) || (await hasExitFile(row, deps))) {
      deadSinceMs.delete(row.id);
      continue;
    }
    const since = deadSinceMs.get(row.id) ?? performance.now();
    deadSinceMs.set(row.id, since);
    if (performance.now() - since < MONITOR_GRACE_MS) continue;
    deadSinceMs.delete(row.id);
    await recordLost(row, deps, true);
    deps.onRestarting();
    deps.log.warn({ [attribute.containerId]: row.id }, "container ended without a word of its monitor");
  }
}

/** `follow`: what comes after an end comes after this one too; at a boot that is decided otherwise. */
async function recordLost(
  row: ContainerRow,
  { db, onRemovable, removableSince }: ReconcileDeps,
  follow: boolean,
): Promise<ContainerRow> {
  const end = { exitCode: LOST_EXIT_CODE, oomKilled: false, peakMemoryBytes: undefined, finishedAt: new Date() };
  const exit = { id: row.id, run: row.run, ...end, removableSince: removableSince(row.id) };
  const last = await db.transaction(async (tx) => {
    const ended = await recordExit(tx, exit);
    if (ended === undefined) return row;
    if (follow) await recordEnd(tx, db.schema, ended);
    else await recordEvent(tx, db.schema, containerEvent("die", ended, { exitCode: String(LOST_EXIT_CODE) }));
    return ended;
  });
  if (last.state === "removing") onRemovable(last);
  return last;
}

export async function isRunning(row: ContainerRow): Promise<boolean> {
  if (row.pid === 0) return false;
  const process = await readProcessStat(row.pid);
  return process !== undefined && process.state !== "Z" && process.startTicks === Number(row.start_ticks);
}

async function hasExitFile(row: ContainerRow, { exits }: ReconcileDeps): Promise<boolean> {
  return isContainerId(row.id) && (await exits.find(row.id, row.run)) !== undefined;
}

/** Runs that the runtime knows and no row does: a start that died in the middle, once nobody works on it any more. */
async function removeStrayRuns(rows: readonly ContainerRow[], deps: ReconcileDeps): Promise<void> {
  const { host, serial, log } = deps;
  const current = new Map(rows.map((row) => [row.id, row]));
  const names = await Promise.all(
    stateRoots(host).map(async (root) => (await readdir(root).catch(() => [])).map((name) => ({ root, name }))),
  );
  for (const { root, name } of names.flat()) {
    const [id = "", run] = name.split(".");
    if (!isContainerId(id)) continue;
    const row = current.get(id);
    if (row !== undefined && (row.run === Number(run) || row.state === "restarting")) continue;
    if (!(await isOlderThan(join(root, name), STRAY_AGE_MS))) continue;
    const signal = deadline(ROUND_TIMEOUT_MS, "remove a run that nobody knows");
    await serial.run(id, () => takeDownRun(id, Number(run), host, signal), signal);
    log.warn({ [attribute.containerId]: id, "ctl.run": Number(run) }, "run without a row removed");
  }
}

const STRAY_AGE_MS = 30_000;

async function removeStrayDirectories(rows: readonly ContainerRow[], deps: ReconcileDeps): Promise<void> {
  const { host, log, db } = deps;
  const known = new Set(rows.map((row) => row.id));
  const directory = containersDirectory(host.root);
  for (const name of await readdir(directory).catch(() => [])) {
    if (!isContainerId(name) || known.has(name)) continue;
    if (!(await isOlderThan(join(directory, name), STRAY_AGE_MS))) continue;
    if ((await containerById(db, name)) !== undefined) continue; // made since we looked
    await takeDownAll(name, 0, host, deadline(ROUND_TIMEOUT_MS, "remove a directory that nobody knows"));
    await rm(join(directory, name), { recursive: true, force: true });
    log.warn({ [attribute.containerId]: name }, "directory without a container removed");
  }
}

/** Twice in a row: between a start's preparation and its run a root is mounted for good reason. */
async function unmountIdleRoots(rows: readonly ContainerRow[], deps: ReconcileDeps, { mounted }: Suspicions) {
  for (const row of rows) {
    const isIdle = row.state === "created" || row.state === "exited";
    const { bundle, rootfs } = containerPaths(deps.host.root, row.id);
    const isThere = isIdle && (await stat(bundle).catch(() => undefined)) !== undefined && (await isMounted(rootfs));
    if (!isThere) {
      mounted.delete(row.id);
    } else if (mounted.delete(row.id)) {
      await takeDownRootfs(row.id, deps.host);
      deps.log.warn({ [attribute.containerId]: row.id }, "root without a run unmounted");
    } else {
      mounted.add(row.id);
    }
  }
}

async function isOlderThan(path: string, ageMs: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ageMs;
}
