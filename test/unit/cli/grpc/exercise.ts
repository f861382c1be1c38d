import { createHash } from "node:crypto";
import {
  AttachRequest,
  ContainersService,
  InspectContainerRequest,
  ListContainersRequest,
  ReadLogsRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { Channel } from "../../../../cli/grpc/channel.ts";
import { CtlError } from "../../../../services/kit/errors.ts";

/** What the client saw of the test's server; the same in Node and in Bun. */
export interface Outcome {
  readonly nameBytes: number;
  readonly failure: Partial<CtlError>;
  readonly metadata: string;
  readonly streamed: { readonly bytes: number; readonly sha256: string };
  readonly peakBytes: number;
  readonly echoed: { readonly bytes: number; readonly sha256: string; readonly exitCode: number };
  readonly late: string;
  readonly cancelled: string;
}

/** One of everything on a single connection. */
export async function exercise(socket: string, megabytes: number): Promise<Outcome> {
  using channel = await Channel.open({ path: socket });
  const list = await channel.unary(ContainersService.listContainers, ListContainersRequest.fromPartial({ all: true }));
  const failure = await failureOf(() => inspect(channel, "missing"));
  const metadata = await inspect(channel, "metadata", { traceparent: "00-1-2-01" });
  const { peakBytes, ...streamed } = await download(channel, megabytes);
  const echoed = await echo(channel, megabytes);
  const late = await failureOf(() => inspect(channel, "never", {}, 50));
  return {
    nameBytes: list.containers.map((one) => one.name).join("").length,
    failure: { code: failure.code, reason: failure.reason, what: failure.what, why: failure.why, fix: failure.fix },
    metadata,
    streamed,
    peakBytes,
    echoed,
    late: late.code,
    cancelled: (await cancelled(channel)).code,
  };
}

async function inspect(channel: Channel, ref: string, metadata = {}, timeoutMs = 5_000): Promise<string> {
  const request = InspectContainerRequest.fromPartial({ ref });
  const answer = await channel.unary(ContainersService.inspectContainer, request, { metadata, timeoutMs });
  return answer.container?.name ?? "";
}

async function download(channel: Channel, megabytes: number) {
  const hash = createHash("sha256");
  let bytes = 0;
  let peakBytes = 0;
  const request = ReadLogsRequest.fromPartial({ ref: "bytes", tail: megabytes });
  for await (const { records } of channel.stream(ContainersService.readLogs, request)) {
    for (const { data } of records) {
      hash.update(data);
      bytes += data.length;
    }
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  }
  return { bytes, sha256: hash.digest("hex"), peakBytes };
}

/** Sends and receives at the same time, then half-closes and gets the exit. */
async function echo(channel: Channel, megabytes: number) {
  const call = channel.open(ContainersService.attach);
  const sent = sendAll(call, megabytes);
  const hash = createHash("sha256");
  let bytes = 0;
  let exitCode = -1;
  for await (const { event } of call) {
    if (event?.$case === "output") {
      hash.update(event.value.data);
      bytes += event.value.data.length;
    }
    if (event?.$case === "exit") exitCode = event.value.exitCode;
  }
  await sent;
  return { bytes, sha256: hash.digest("hex"), exitCode };
}

async function sendAll(
  call: { send(request: AttachRequest): Promise<void>; closeSend(): Promise<void> },
  megabytes: number,
) {
  for (let index = 0; index < megabytes * 16; index++) {
    const value = Buffer.alloc(65_536, index % 251);
    await call.send(AttachRequest.fromPartial({ input: { $case: "stdin", value } }));
  }
  await call.closeSend();
}

/** Leaves a stream that would go on for ever. */
async function cancelled(channel: Channel): Promise<CtlError> {
  const controller = new AbortController();
  return failureOf(async () => {
    const request = ReadLogsRequest.fromPartial({ ref: "endless" });
    for await (const _ of channel.stream(ContainersService.readLogs, request, { signal: controller.signal }))
      controller.abort();
  });
}

async function failureOf(work: () => Promise<unknown>): Promise<CtlError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CtlError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

if (import.meta.main) {
  console.log(JSON.stringify(await exercise(process.argv[2] ?? "", Number(process.argv[3]))));
  process.exit(0);
}
