import { stat } from "node:fs/promises";
import { followLog } from "./follow.ts";
import { listGenerations } from "./generations.ts";
import type { LogPosition, LogRecord, OutputStream } from "./record.ts";
import { startOfLog, tailPosition } from "./tail.ts";

export interface ReadRequest {
  readonly logPath: string;
  /** Lines from the end; undefined: all. */
  readonly tail: number | undefined;
  readonly sinceNs: bigint | undefined;
  readonly untilNs: bigint | undefined;
  readonly streams: ReadonlySet<OutputStream>;
  /** Go on with what is written later, until this resolves; undefined: end at what is there now. */
  readonly until: { readonly ended: Promise<unknown> } | undefined;
}

/** A container's log as `logs` shows it, in pieces as they were read. */
export async function* readLog(request: ReadRequest, signal: AbortSignal): AsyncGenerator<LogRecord[]> {
  const { logPath, untilNs, until, tail } = request;
  const from = tail === undefined ? await sincePosition(request) : await tailPosition(logPath, tail);
  for await (const records of followLog({ logPath, from, until }, signal)) {
    const wanted = records.filter((record) => isWanted(record, request));
    if (wanted.length > 0) yield wanted;
    const last = records.at(-1);
    if (untilNs !== undefined && last !== undefined && last.timeNs > untilNs) return;
  }
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

function isWanted(record: LogRecord, { sinceNs, untilNs, streams }: ReadRequest): boolean {
  if (!streams.has(record.stream)) return false;
  if (sinceNs !== undefined && record.timeNs < sinceNs) return false;
  return untilNs === undefined || record.timeNs <= untilNs;
}
