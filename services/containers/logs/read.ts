import { stat } from "node:fs/promises";
import { followLog } from "./follow.ts";
import { listGenerations } from "./generations.ts";
import type { LogPosition, LogRecord, OutputStream } from "./record.ts";
import { startOfLog, tailPosition } from "./tail.ts";

export interface ReadRequest {
  readonly logPath: string;
  /** Lines from the end; undefined: all. */
  readonly tail: number | undefined;
  /** Where an earlier reading ended, stronger than that; undefined: it is the first. */
  readonly position?: LogPosition | undefined;
  readonly sinceNs: bigint | undefined;
  readonly untilNs: bigint | undefined;
  readonly streams: ReadonlySet<OutputStream>;
  /** Go on with what is written later, until this resolves; undefined: end at what is there now. */
  readonly until: { readonly ended: Promise<unknown> } | undefined;
}

/** A container's log as `logs` shows it, in pieces as they were read. */
export async function* readLog(request: ReadRequest, signal: AbortSignal): AsyncGenerator<LogRecord[]> {
  const { untilNs, until } = request;
  using clock = endOfTime(untilNs);
  const from = await beginning(request);
  const follow = until === undefined ? undefined : { ended: Promise.race([until.ended, clock.passed]) };
  const isWanted = lineFilter(request);
  for await (const records of followLog({ logPath: request.logPath, from, until: follow }, signal)) {
    const wanted = records.filter(isWanted);
    if (wanted.length > 0) yield wanted;
    const last = records.at(-1);
    if (untilNs !== undefined && last !== undefined && last.timeNs > untilNs) return;
  }
}

async function beginning(request: ReadRequest): Promise<LogPosition> {
  if (request.position !== undefined) return request.position;
  return request.tail === undefined ? sincePosition(request) : tailPosition(request.logPath, request.tail);
}

/** Skips the generations that ended before `since`: a file's age is that of its last line. */
async function sincePosition({ logPath, sinceNs }: ReadRequest): Promise<LogPosition> {
  if (sinceNs === undefined) return startOfLog(logPath);
  for (const { number, path } of await listGenerations(logPath)) {
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    if (stats !== undefined && stats.mtimeNs >= sinceNs - CLOCK_SLACK_NS) return { generation: number, offset: 0 };
  }
  return tailPosition(logPath, 0);
}

/** A file's time is of the clock's last tick, so up to 10 ms behind the record in it. */
const CLOCK_SLACK_NS = 1_000_000_000n;
/** What setTimeout takes at most; nobody follows a log for as long as that with an end in mind. */
const LONGEST_MS = 2 ** 31 - 1;

/** Resolves when a time has come: following ends then, also where nothing is written any more. */
function endOfTime(untilNs: bigint | undefined): Disposable & { readonly passed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (untilNs === undefined) return { passed: promise, [Symbol.dispose]: () => resolve() };
  const leftMs = Number(untilNs / 1_000_000n) - Date.now() + 1;
  const timer = setTimeout(resolve, Math.max(0, Math.min(leftMs, LONGEST_MS)));
  return { passed: promise, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** A line is shown whole or not at all: by the time of its first part. */
function lineFilter({ sinceNs, untilNs, streams }: ReadRequest): (record: LogRecord) => boolean {
  const shownLine: Partial<Record<OutputStream, boolean>> = {};
  return ({ stream, timeNs, isLineEnd }) => {
    const isInTime = (sinceNs === undefined || timeNs >= sinceNs) && (untilNs === undefined || timeNs <= untilNs);
    const isShown = shownLine[stream] ?? (streams.has(stream) && isInTime);
    if (isLineEnd) delete shownLine[stream];
    else shownLine[stream] = isShown;
    return isShown;
  };
}
