import type { Database } from "../../kit/database.ts";
import { deadline } from "../../kit/deadlines.ts";
import { recordEvent } from "../../kit/outbox.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { containerEvent } from "../events.ts";
import { parseSignal } from "../spec/signals.ts";
import { endProcess, endsWithinMs, type StopDeps, stopTimeoutMs } from "../stop.ts";
import { type ContainerRow, containerById, markStoppedByUser } from "../store/containers.ts";
import {
  healthRestarts,
  type MonitoredRun,
  recordConsequence,
  recordHealth,
  recordHealthRestart,
} from "../store/health.ts";
import { wantRestart } from "../store/restarts.ts";
import { consequenceOf, consequenceText, endsRestarts, healthRestartDelayMs } from "./consequence.ts";
import type { Findings } from "./monitor.ts";
import type { Health, HealthStatus } from "./verdict.ts";

export interface FindingsDeps extends Pick<StopDeps, "pidfds"> {
  readonly db: Database;
  readonly log: Logger;
  /** What a stop begins with, when neither the caller nor the container says. */
  readonly defaultSignal: (row: ContainerRow) => string;
}

const SIGKILL = 9;
const END_MS = 3_600_000;

/** Health goes into its row, changes become events, and what an unhealthy verdict leads to is done. */
export function healthFindings(deps: FindingsDeps): Findings {
  return {
    record: (run, health, changes) => record(run, health, changes, deps.db),
    act: (run, health, signal) => act(run, health, deps, signal),
  };
}

async function record(run: MonitoredRun, health: Health, changes: readonly HealthStatus[], db: Database) {
  await db.transaction(async (tx) => {
    if (!(await recordHealth(tx, run, health, endsRestarts(health, run.startedAt, Date.now())))) return;
    for (const status of changes) await recordEvent(tx, db.schema, containerEvent(`health_status: ${status}`, run));
  });
}

async function act(run: MonitoredRun, health: Health, deps: FindingsDeps, signal: AbortSignal): Promise<void> {
  const action = consequenceOf(run.onUnhealthy, health);
  if (action === "none") return;
  const { db, log } = deps;
  const row = await containerById(db, run.id);
  if (row?.state !== "running" || row.run !== run.run) return;
  log.info({ [attribute.containerId]: run.id, "ctl.health_on_failure": action }, "container is unhealthy");
  if (action === "restart") return restart(row, health, deps, signal);
  await recordConsequence(db, run.id, consequenceText(action, health, 0));
  if (action === "stop") await markStoppedByUser(db, run.id);
  await end(row, action === "stop", deps, signal);
}

/** The wish is in the row before anything ends; the next run follows in the same sandbox, after a growing wait. */
async function restart(row: ContainerRow, health: Health, deps: FindingsDeps, signal: AbortSignal): Promise<void> {
  const endsInMs = endsWithinMs(stopTimeoutMs(row, OWN_STOP));
  const isWanted = await deps.db.transaction(async (tx) => {
    if (!(await wantRestart(tx, row.id, row.run, endsInMs))) return false;
    const delayMs = healthRestartDelayMs(await healthRestarts(tx, row.id));
    await recordHealthRestart(tx, row.id, delayMs, consequenceText("restart", health, delayMs));
    return true;
  });
  if (isWanted) await end(row, true, deps, signal);
}

/** As the container itself says. */
const OWN_STOP = { timeoutS: undefined, signal: "" };

async function end(row: ContainerRow, isAsked: boolean, deps: FindingsDeps, signal: AbortSignal): Promise<void> {
  const ends = AbortSignal.any([signal, deadline(END_MS, `end container ${row.name}`)]);
  const number = isAsked ? parseSignal(row.spec.stopSignal || deps.defaultSignal(row) || "TERM") : SIGKILL;
  const timeoutMs = isAsked ? stopTimeoutMs(row, OWN_STOP) : 0;
  await endProcess(row, number, timeoutMs, deps, ends);
}
