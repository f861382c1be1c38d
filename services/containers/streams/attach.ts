import { mkdir, open } from "node:fs/promises";
import type { Db } from "../../kit/database.ts";
import type { TerminalSize } from "../../kit/linux/pty.ts";
import type { RunEnd, RunEnds } from "../exits/ends.ts";
import { containerNotFound, findContainer } from "../find.ts";
import { notRunning } from "../kill.ts";
import { isUp } from "../lifecycle.ts";
import { type OutputFrame, outputFrames } from "../logs/output.ts";
import type { LogPosition, OutputStream } from "../logs/record.ts";
import { endOfLog, startOfLog } from "../logs/tail.ts";
import { type ContainerPaths, containerPaths } from "../paths.ts";
import { beingRemoved } from "../prepare.ts";
import { isContainerId } from "../spec/spec.ts";
import { type ContainerRow, containerById } from "../store/containers.ts";
import { keepSizeForStart, resizeTerminal } from "./terminal-size.ts";

export interface AttachWish {
  readonly streams: ReadonlySet<OutputStream>;
  /** Also what was written before. */
  readonly logs: boolean;
  /** Where an earlier attachment of this client ended. */
  readonly position: LogPosition | undefined;
  /** Follow the run that is to start next. */
  readonly awaitStart: boolean;
  /** The run that is meant comes after this one. */
  readonly afterRun: number | undefined;
  /** Of the client's terminal. */
  readonly size: TerminalSize | undefined;
}

/** One client's view of one run. Dispose it. */
export interface Attachment extends Disposable {
  readonly row: ContainerRow;
  readonly paths: ContainerPaths;
  /** Where its output begins. */
  readonly from: LogPosition;
  /** Resolves when the run has ended. */
  readonly ended: Promise<RunEnd>;
  /** The run's output until its end, in order, from the log: a client that reads slowly slows nobody. */
  output(signal: AbortSignal): AsyncGenerator<OutputFrame>;
}

export interface AttachDeps {
  readonly db: Db;
  readonly root: string;
  readonly ends: RunEnds;
}

/**
 * Attaches to a container's current run, or with `awaitStart` to its next one. From the answer on nothing of the run's
 * output is missed, however short the run is and however soon its container is removed: the log is open already.
 * Throws NOT_FOUND CONTAINER_NOT_FOUND; FAILED_PRECONDITION CONTAINER_NOT_RUNNING, CONTAINER_BEING_REMOVED.
 */
export async function attach(reference: string, wish: AttachWish, { db, root, ends }: AttachDeps): Promise<Attachment> {
  const id = isContainerId(reference) ? reference : (await findContainer(db, reference)).id;
  const end = ends.next(id); // before the row is looked at: an end in between is not missed
  try {
    const row = await containerById(db, id);
    if (row === undefined) throw containerNotFound(reference);
    if (row.state === "removing") throw beingRemoved(row.name);
    const hasBegun = wish.afterRun !== undefined && row.run > wish.afterRun;
    const last = isUp(row.state) || (wish.awaitStart && !hasBegun) ? undefined : lastEnd(row);
    // who lost its stream gets the rest of the output also when the run has ended meanwhile
    if (last !== undefined && wish.position === undefined && !hasBegun) throw notRunning(row.name);
    const ended = last === undefined ? end.ended : Promise.resolve(last);
    const paths = containerPaths(root, row.id);
    const from = await startPosition(row, paths, wish, hasBegun);
    if (wish.size !== undefined && row.spec.tty) await giveSize(paths, wish.size, isUp(row.state));
    return {
      row,
      paths,
      from,
      ended,
      output: (signal) => outputFrames({ logPath: paths.log, from, until: { ended } }, wish.streams, signal),
      [Symbol.dispose]: () => end[Symbol.dispose](),
    };
  } catch (error) {
    end[Symbol.dispose]();
    throw error;
  }
}

/** In the log of a container that never ran. */
const FIRST_POSITION: LogPosition = { generation: 1, offset: 0 };

/** A run that is still to start has the client's size from its first byte on. */
async function giveSize({ bundle }: ContainerPaths, size: TerminalSize, isRunning: boolean): Promise<void> {
  if (isRunning) await resizeTerminal(bundle, size);
  else await keepSizeForStart(bundle, size);
}

/** How its last run ended. Throws CONTAINER_NOT_RUNNING when there was none. */
function lastEnd(row: ContainerRow): RunEnd {
  if (row.exit_code === null) throw notRunning(row.name);
  return { exitCode: row.exit_code, oomKilled: row.oom_killed };
}

async function startPosition(
  row: ContainerRow,
  paths: ContainerPaths,
  wish: AttachWish,
  hasBegun: boolean,
): Promise<LogPosition> {
  if (wish.awaitStart) {
    // conmon appends to a file that is there: so it can be opened now, before a short run's log comes and goes
    await mkdir(paths.bundle, { recursive: true, mode: 0o711 });
    await (await open(paths.log, "a", 0o640)).close();
  }
  if (wish.position !== undefined) return wish.position;
  if (row.run === 0) return FIRST_POSITION;
  return wish.logs || (hasBegun && wish.afterRun === 0) ? startOfLog(paths.log) : endOfLog(paths.log);
}
