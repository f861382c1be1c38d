import {
  ContainersService,
  type LogRecord,
  type OutputPosition,
  OutputStream,
  ReadLogsRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../grammar/command.ts";
import { parsed, toggle } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import { rfc3339 } from "../output/time.ts";
import { reconnecting } from "../reconnect.ts";
import { parseTail } from "../values/tail.ts";
import { type Instant, parseTime } from "../values/units/time.ts";

const readTime = (given: string) => parseTime(given, Date.now());

export const logs = command({
  summary: "Fetch the logs of a container",
  usage: "[OPTIONS] CONTAINER",
  flags: {
    details: toggle({ help: "Show what the log driver's options take along with each line" }),
    follow: toggle({ short: "f", help: "Go on with what is written from now on" }),
    since: parsed({ help: "Only what was written since a time (2026-01-31T12:00:00Z) or duration (10m)" }, readTime),
    tail: parsed({ short: "n", help: "Lines from the end (default all)" }, parseTail),
    timestamps: toggle({ short: "t", help: "Show when each line was written" }),
    until: parsed({ help: "Only what was written before a time or duration" }, readTime),
  },
  least: 1,
  most: 1,
  async run({ flags, args: [ref = ""] }, { daemon, stdout, stderr }) {
    const { follow, since, tail, until, timestamps, details } = flags;
    const first = {
      ref,
      follow,
      details,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(tail === undefined ? {} : { tail }),
    };
    // who shows no times needs no lines, each of which would be a message to make and to read
    const asFrames = !timestamps && !details;
    let position: OutputPosition | undefined;
    const place = new LogPlace();
    const isMidLine = new Map<number, boolean>();
    let prefix = "";
    await reconnecting(isGone, async () => {
      const { tail: _tail, ...rest } = first;
      const again = place.time === undefined ? first : { ...rest, since: place.time };
      const request = { ...again, asFrames, ...(position === undefined ? {} : { position }) };
      place.begin();
      for await (const answer of daemon.stream(ContainersService.readLogs, ReadLogsRequest.fromPartial(request))) {
        for (const { stream, data, position: behind } of answer.frames) {
          await (stream === OutputStream.STDERR ? stderr : stdout).stream(data);
          position = behind;
        }
        if (details && answer.records.length === 0) prefix = `${detailsText(answer.details)} `;
        for (const run of runsOf(answer.records.filter((record) => place.isNew(record)))) {
          const bytes = run.map((record) => shown(record, { timestamps, prefix }, isMidLine));
          await (run[0]?.stream === OutputStream.STDERR ? stderr : stdout).stream(Buffer.concat(bytes));
        }
      }
    });
    return 0;
  },
});

/** How far a log was shown. Times are not unique, so what bears the last one is counted. */
class LogPlace {
  time: Instant | undefined;
  #count = 0;
  #toSkip = 0;

  /** A stream begins again with what bears the last time. */
  begin(): void {
    this.#toSkip = this.#count;
  }

  isNew({ time }: LogRecord): boolean {
    if (time === undefined) return true;
    const isSame = time.seconds === this.time?.seconds && time.nanos === this.time.nanos;
    if (isSame && this.#toSkip > 0) {
      this.#toSkip--;
      return false;
    }
    this.#count = isSame ? this.#count + 1 : 1;
    this.#toSkip = 0;
    this.time = time;
    return true;
  }
}

/** Neighbours of the same stream are written at once. */
function runsOf(records: readonly LogRecord[]): LogRecord[][] {
  const runs: LogRecord[][] = [];
  for (const record of records) {
    const last = runs.at(-1);
    if (last?.[0]?.stream === record.stream) last.push(record);
    else runs.push([record]);
  }
  return runs;
}

interface LineStart {
  readonly timestamps: boolean;
  readonly prefix: string;
}

function shown(record: LogRecord, { timestamps, prefix }: LineStart, isMidLine: Map<number, boolean>): Buffer {
  const { stream, time, data, isLineEnd } = record;
  const isStart = isMidLine.get(stream) !== true;
  isMidLine.set(stream, !isLineEnd);
  const stamp = timestamps && time !== undefined ? `${rfc3339(time, 9)} ` : "";
  if (!isStart || `${stamp}${prefix}` === "") return data;
  return Buffer.concat([Buffer.from(`${stamp}${prefix}`), data]);
}

/** As Docker has it: sorted, and each part as in a URL's query. */
function detailsText(details: Readonly<Record<string, string>>): string {
  const parts = Object.entries(details).map((pair) => new URLSearchParams([pair]).toString());
  return parts.sort().join(",");
}
