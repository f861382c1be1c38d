import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../../kit/database.ts";
import { CtlError } from "../../kit/errors.ts";
import { recordEvent } from "../../kit/outbox.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import type { OciConfig } from "../bundle/oci-config.ts";
import { containerCgroups, enterMonitorCgroup } from "../cgroups/placement.ts";
import { containerEvent } from "../events.ts";
import { containerNotFound, findContainer } from "../find.ts";
import type { ContainerHost } from "../host/host.ts";
import { notRunning } from "../kill.ts";
import { containerPaths } from "../paths.ts";
import { runtimeOfRun } from "../runtime/known-run.ts";
import { runtimeId } from "../runtime/oci-runtime.ts";
import type { ContainerId } from "../spec/spec.ts";
import { type ContainerRow, containerById } from "../store/containers.ts";
import { insertExec, recordExecExit, recordExecStart } from "../store/execs.ts";
import { startDetachedExec } from "./detached.ts";
import { type ExecSession, startExec } from "./exec.ts";
import { type ExecSpec, execProcess } from "./exec-process.ts";
import { findExec } from "./find-exec.ts";

export interface ExecWish extends ExecSpec {
  readonly stdin: boolean;
}

export interface ExecDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly log: Logger;
}

/** Reserves an exec: an object that can be looked at before and after it runs. `spec` is kept as it came, for showing. */
export async function createExec(db: Database, reference: string, wish: ExecWish, spec: Buffer): Promise<string> {
  const row = await findContainer(db, reference);
  if (row.state === "paused") throw paused(row.name);
  if (row.state !== "running") throw notRunning(row.name);
  if (wish.command.length === 0) throw noCommand(row.name);
  const id = randomBytes(32).toString("hex");
  await db.transaction(async (tx) => {
    await insertExec(tx, { id, container_id: row.id, spec });
    const facts = { execID: id };
    await recordEvent(tx, db.schema, containerEvent(execAction("exec_create", wish), row, facts));
  });
  return id;
}

/** A running exec whose end is recorded. Dispose it: what is left of it ends then. */
export interface RunningExec extends AsyncDisposable {
  readonly container: ContainerRow;
  readonly session: ExecSession;
  /** Resolves when it has ended and that is recorded. */
  readonly exitCode: Promise<number>;
}

/**
 * Starts an exec that was created; it runs once. Throws FAILED_PRECONDITION EXEC_STARTED, CONTAINER_NOT_RUNNING,
 * COMMAND_NOT_FOUND …
 */
export async function runExec(
  id: string,
  wish: ExecWish,
  { db, host, log }: ExecDeps,
  signal: AbortSignal,
): Promise<RunningExec> {
  const row = await containerOf(id, db);
  return inSpan("exec.start", { attributes: { [attribute.execId]: id, [attribute.containerId]: row.id } }, async () => {
    await using undo = new AsyncDisposableStack();
    const prepared = await requestFor(row, id, wish, host).catch(refusal(db, row, id));
    const request = { ...prepared, stdin: wish.stdin };
    const runtime = await runtimeOfRun(host, request.runtimeId);
    const session = undo.use(await startExec({ ...host, runtime }, request, signal).catch(refusal(db, row, id)));
    await recordStart(db, row, { id, pid: session.pid, isDetached: false, wish });
    const owned = undo.move();
    const exitCode = session.exitCode.then(async (code) => {
      await recordEnd(db, row, id, code).catch((error: unknown) =>
        log.warn({ err: error }, "end of an exec not recorded"),
      );
      return code;
    });
    return {
      container: row,
      session,
      exitCode,
      [Symbol.asyncDispose]: async () => {
        await owned.disposeAsync();
        await exitCode.catch(() => {});
      },
    };
  });
}

/** Starts an exec that no client waits for; it and its exit code outlive this process. Answers its pid. Throws the same. */
export async function runDetachedExec(
  id: string,
  wish: ExecWish,
  { db, host }: ExecDeps,
  signal: AbortSignal,
): Promise<number> {
  const row = await containerOf(id, db);
  const { monitor } = containerCgroups(host.cgroupParent, row.id as ContainerId);
  const place = monitor === undefined ? undefined : (pid: number) => enterMonitorCgroup(host.layout, monitor, pid);
  const request = await requestFor(row, id, wish, host).catch(refusal(db, row, id));
  const runtime = await runtimeOfRun(host, request.runtimeId);
  const pid = await startDetachedExec({ ...host, runtime }, request, place, signal).catch(refusal(db, row, id));
  await recordStart(db, row, { id, pid, isDetached: true, wish });
  return pid;
}

interface StartedExec {
  readonly id: string;
  readonly pid: number;
  readonly isDetached: boolean;
  readonly wish: ExecWish;
}

async function recordStart(db: Database, row: ContainerRow, { id, pid, isDetached, wish }: StartedExec): Promise<void> {
  await db.transaction(async (tx) => {
    const event = recordEvent(tx, db.schema, containerEvent(execAction("exec_start", wish), row, { execID: id }));
    if (!(await recordExecStart(tx, id, pid, isDetached))) throw alreadyStarted(id);
    await event;
  });
}

/** Docker's actions of execs have the command in them. */
function execAction(action: string, { command }: ExecWish): string {
  return `${action}: ${command.join(" ")}`;
}

/** The container of an exec that may be started now. */
async function containerOf(id: string, db: Database): Promise<ContainerRow> {
  const exec = await findExec(db, id);
  const row = await containerById(db, exec.container_id);
  if (row === undefined) throw containerNotFound(exec.container_id);
  if (row.state !== "running") throw notRunning(row.name);
  if (exec.state !== "created") throw alreadyStarted(id);
  return row;
}

async function requestFor(row: ContainerRow, id: string, wish: ExecWish, host: ContainerHost) {
  const { bundle } = containerPaths(host.root, row.id);
  host.migration?.expect(id, EXPECTED_START_MS);
  const config = JSON.parse(await readFile(join(bundle, "config.json"), "utf8")) as OciConfig; // we wrote it
  const process = await execProcess(wish, config, host.facts);
  return { runtimeId: runtimeId(row.id, row.run), directory: execDirectory(host, row.id, id), process };
}

const EXPECTED_START_MS = 100;

export function execDirectory(host: ContainerHost, containerId: string, id: string): string {
  return join(containerPaths(host.root, containerId).bundle, `exec-${id.slice(0, 16)}`);
}

/** What the runtime refuses has ended with the code that a shell would give; the refusal itself is thrown on. */
function refusal(db: Database, row: ContainerRow, id: string) {
  return async (error: unknown): Promise<never> => {
    const reason = error instanceof CtlError ? error.reason : "";
    const exitCode = reason === "COMMAND_NOT_FOUND" ? 127 : 126;
    if (reason !== "") await recordEnd(db, row, id, exitCode).catch(() => {});
    throw error;
  };
}

/** Idempotent. */
export async function recordEnd(
  db: Database,
  row: Pick<ContainerRow, "id" | "name" | "image" | "labels">,
  id: string,
  exitCode: number,
): Promise<void> {
  await db.transaction(async (tx) => {
    await recordExecExit(tx, id, exitCode);
    await recordEvent(tx, db.schema, containerEvent("exec_die", row, { execID: id, exitCode: String(exitCode) }));
  });
}

function noCommand(name: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NO_COMMAND",
    what: `execute something in container ${name}`,
    why: "no command is given",
    fix: "name a program",
  });
}

function paused(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_PAUSED",
    what: `execute something in container ${name}`,
    why: "it is paused",
    fix: `ctl unpause ${name}`,
  });
}

function alreadyStarted(id: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "EXEC_STARTED",
    what: `start the exec ${id.slice(0, 12)}`,
    why: "it was started before, and an exec runs once",
    fix: "create another one",
  });
}
