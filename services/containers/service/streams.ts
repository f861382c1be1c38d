import type { OutputFrame as FrameMessage } from "#proto/ctl/containers/v1/containers.ts";
import {
  type AttachRequest,
  type AttachResponse,
  type ExecRequest,
  type ReadLogsRequest,
  type ReadLogsResponse,
  OutputStream as StreamCode,
} from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../kit/errors.ts";
import { nanosecondsOf, type Timestamp, timestampOfNanoseconds } from "../../kit/timestamp.ts";
import type { OutputFrame } from "../logs/output.ts";
import { type LogDeps, readLogs } from "../logs/read-logs.ts";
import type { OutputStream } from "../logs/record.ts";
import { type AttachDeps, type AttachWish, attach } from "../streams/attach.ts";
import { type ClientInput, followInput, type InputDeps } from "../streams/input.ts";

const CODES: Readonly<Record<OutputStream, StreamCode>> = { stdout: StreamCode.STDOUT, stderr: StreamCode.STDERR };

/** Serves `ReadLogs`. */
export async function* logsCall(
  request: ReadLogsRequest,
  deps: LogDeps,
  signal: AbortSignal,
): AsyncGenerator<ReadLogsResponse> {
  const wish = {
    follow: request.follow,
    tail: request.tail,
    sinceNs: nanoseconds(request.since),
    untilNs: nanoseconds(request.until),
    streams: wantedStreams(request),
  };
  for await (const records of readLogs(request.ref, wish, deps, signal)) {
    yield {
      records: records.map(({ stream, timeNs, data, isLineEnd }) => ({
        stream: CODES[stream],
        time: timestampOfNanoseconds(timeNs),
        data,
        isLineEnd,
      })),
    };
  }
}

/** Serves one `Attach`: `attached` first, then output, `exit` last; the client's messages are followed beside it. */
export async function* attachCall(
  requests: AsyncIterable<AttachRequest>,
  deps: AttachDeps & InputDeps,
  signal: AbortSignal,
): AsyncGenerator<AttachResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = (await messages.next()).value?.input;
  if (first?.$case !== "open") throw openMissing("attach to a container");
  const { ref, logs, position, awaitStart, afterRun, stdin } = first.value;
  const wish: AttachWish = { streams: wantedStreams(first.value), logs, position, awaitStart, afterRun };
  using attachment = await attach(ref, wish, deps);
  const { row } = attachment;
  const ends = new AbortController();
  const linked = AbortSignal.any([signal, ends.signal]);
  const output = attachment.output(linked);
  // begun before `attached` is told: the log is opened before a short run can come and go
  let next = awaitedLater(output.next());
  const target = { row, paths: attachment.paths, wantsStdin: stdin };
  const input = awaitedLater(followInput(inputsOf(messages), target, deps, linked));
  try {
    yield { event: { $case: "attached", value: { id: row.id } } };
    for (let { value, done } = await next; done !== true; { value, done } = await next) {
      next = awaitedLater(output.next());
      yield { event: { $case: "output", value: frameMessage(value) } };
    }
    const { exitCode, oomKilled } = await attachment.ended;
    yield { event: { $case: "exit", value: { exitCode, oomKilled } } };
  } finally {
    ends.abort();
    await Promise.allSettled([next, input]);
    await output.return(undefined); // what waits at a frame would keep the log open
  }
}

/** It may fail while the client is slow to take something else: that is no failure that nobody looks at. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** What a client sends after its first message. */
export async function* inputsOf(
  messages: AsyncIterator<{ readonly input: InputMessage }>,
): AsyncGenerator<ClientInput> {
  for (let { value, done } = await messages.next(); done !== true; { value, done } = await messages.next()) {
    const input = parseInput(value);
    if (input !== undefined) yield input;
  }
}

/** Attach's and Exec's messages have the same shape but for `open`. */
type InputMessage = AttachRequest["input"] | ExecRequest["input"];

function parseInput({ input }: { readonly input: InputMessage }): ClientInput | undefined {
  switch (input?.$case) {
    case "stdin":
      return { kind: "stdin", data: input.value };
    case "closeStdin":
      return { kind: "close-stdin" };
    case "resize":
      return { kind: "resize", rows: input.value.rows, columns: input.value.columns };
    case "signal":
      return { kind: "signal", name: input.value };
    default:
      return undefined;
  }
}

export function frameMessage({ stream, data, position }: OutputFrame): FrameMessage {
  return { stream: CODES[stream], data, position };
}

/** Neither asked for means both. */
function wantedStreams({ stdout, stderr }: { stdout: boolean; stderr: boolean }): ReadonlySet<OutputStream> {
  const wanted = new Set<OutputStream>();
  if (stdout || !stderr) wanted.add("stdout");
  if (stderr || !stdout) wanted.add("stderr");
  return wanted;
}

function nanoseconds(time: Timestamp | undefined): bigint | undefined {
  return time === undefined ? undefined : nanosecondsOf(time);
}

export function openMissing(what: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "OPEN_MISSING",
    what,
    why: "the first message does not say to what",
    fix: "send `open` first",
  });
}
