import type { OutputFrame as FrameMessage } from "#proto/ctl/containers/v1/containers.ts";
import {
  type AttachOpen,
  type AttachRequest,
  type AttachResponse,
  type ExecRequest,
  type ReadLogsRequest,
  type ReadLogsResponse,
  OutputStream as StreamCode,
} from "#proto/ctl/containers/v1/containers.ts";
import type { Database } from "../../kit/database.ts";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { nanosecondsOf, type Timestamp, timestampOfNanoseconds } from "../../kit/timestamp.ts";
import { recordContainerEvent } from "../events.ts";
import { type OutputFrame, toFrames } from "../logs/output.ts";
import { type LogDeps, readLogs } from "../logs/read-logs.ts";
import type { OutputStream } from "../logs/record.ts";
import type { ContainerRow } from "../store/containers.ts";
import { type AttachDeps, type AttachWish, attach } from "../streams/attach.ts";
import type { ForegroundClients } from "../streams/foreground.ts";
import { type ClientInput, followInput, type InputDeps } from "../streams/input.ts";
import { isSize, parseSize } from "./terminal-size.ts";

export const CODES: Readonly<Record<OutputStream, StreamCode>> = {
  stdout: StreamCode.STDOUT,
  stderr: StreamCode.STDERR,
};

/** Serves `ReadLogs`. */
export async function* logsCall(
  request: ReadLogsRequest,
  deps: LogDeps,
  signal: AbortSignal,
): AsyncGenerator<ReadLogsResponse> {
  const wish = {
    follow: request.follow,
    tail: request.tail,
    position: request.position,
    sinceNs: nanoseconds(request.since),
    untilNs: nanoseconds(request.until),
    streams: wantedStreams(request),
  };
  const { attributes, records: pieces } = await readLogs(request.ref, wish, deps, signal);
  if (request.details) yield { records: [], frames: [], details: { ...attributes } };
  for await (const records of pieces) {
    if (request.asFrames) {
      yield { details: {}, records: [], frames: [...toFrames(records)].map(frameMessage) };
      continue;
    }
    yield {
      details: {},
      frames: [],
      records: records.map(({ stream, timeNs, data, isLineEnd }) => ({
        stream: CODES[stream],
        time: timestampOfNanoseconds(timeNs),
        data,
        isLineEnd,
      })),
    };
  }
}

export interface AttachCallDeps extends AttachDeps, InputDeps {
  readonly db: Database;
  readonly foreground: ForegroundClients;
}

/** Serves one `Attach`: `attached` first, then output, `exit` last; the client's messages are followed beside it. */
export async function* attachCall(
  requests: AsyncIterable<AttachRequest>,
  deps: AttachCallDeps,
  signal: AbortSignal,
): AsyncGenerator<AttachResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = (await messages.next()).value?.input;
  if (first?.$case !== "open") throw openMissing("attach to a container");
  using attachment = await attach(first.value.ref, attachWish(first.value), deps);
  const { row, paths, ended } = attachment;
  using client = deps.foreground.begin(row);
  const ends = new AbortController();
  const over = new AbortController();
  void ended.then(() => over.abort(RUN_OVER));
  const linked = AbortSignal.any([signal, ends.signal]);
  const told = awaitedLater(recordAttach(row, first.value, deps.db));
  const output = attachment.output(linked);
  // begun before `attached` is told: the log is opened before a short run can come and go
  let next = awaitedLater(output.next());
  const target = { row, paths, wantsStdin: first.value.stdin, over: over.signal };
  const input = awaitedLater(followInput(inputsOf(messages), target, deps, linked));
  const left = leaving(input);
  try {
    yield { event: { $case: "attached", value: { id: row.id, position: attachment.from } } };
    for (;;) {
      const turn = await Promise.race([next, left]);
      if (turn === "left") {
        client?.hasLeft();
        await recordContainerEvent(deps.db, "detach", row);
        return;
      }
      if (turn.done === true) break;
      next = awaitedLater(output.next());
      yield { event: { $case: "output", value: frameMessage(turn.value) } };
    }
    const { exitCode, oomKilled } = await ended;
    yield { event: { $case: "exit", value: { exitCode, oomKilled } } };
    // what has left here may still be lost on its way, so one that could not come back for it says when it has it
    if (client !== undefined && (await Promise.race([left, sleep(GOODBYE_MS, signal)])) === "left") client.hasLeft();
  } finally {
    ends.abort(RUN_OVER);
    await Promise.allSettled([next, input, told]);
    await output.return(undefined); // what waits at a frame would keep the log open
  }
}

/** Once for each client: not for one that comes back, and not for one whose container's creation told of it. */
async function recordAttach(row: ContainerRow, open: AttachOpen, db: Database): Promise<void> {
  const wasTold = open.awaitStart && row.spec.isAwaited === true && row.run === 0;
  if (open.position === undefined && !wasTold) await recordContainerEvent(db, "attach", row);
}

const GOODBYE_MS = 2_000;
/** A reason of our own: for an abort without one the platform makes an exception with its stack each time. */
const RUN_OVER = "the attachment is over";

function attachWish(open: AttachOpen): AttachWish {
  const { logs, position, awaitStart, afterRun, size } = open;
  return {
    streams: wantedStreams(open),
    logs,
    position,
    awaitStart,
    afterRun,
    size: size === undefined ? undefined : parseSize(size),
  };
}

/** Resolves when the client detaches, and else never. */
function leaving(input: Promise<boolean>): Promise<"left"> {
  const { promise, resolve } = Promise.withResolvers<"left">();
  input.then(
    (hasDetached) => hasDetached && resolve("left"),
    () => {},
  );
  return promise;
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
      return isSize(input.value) ? { kind: "resize", ...input.value } : undefined;
    case "signal":
      return { kind: "signal", name: input.value };
    case "detach":
      return { kind: "detach" };
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
