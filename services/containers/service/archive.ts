import {
  ChangeKind,
  type ExportContainerRequest,
  type ExportContainerResponse,
  type ListChangesRequest,
  type ListChangesResponse,
  type PathStat as PathStatMessage,
  type ReadArchiveRequest,
  type ReadArchiveResponse,
  type StatPathRequest,
  type StatPathResponse,
  type WriteArchiveRequest,
  type WriteArchiveResponse,
} from "#proto/ctl/containers/v1/containers.ts";
import { timestampOfNanoseconds } from "../../kit/timestamp.ts";
import type { PathChange, PathStat } from "../archive/jobs.ts";
import { listChanges } from "../changes.ts";
import { type CopyDeps, readArchive, statPath, writeArchive } from "../copy.ts";
import { exportContainer } from "../export.ts";
import { openMissing } from "./streams.ts";

const CHANGES: Readonly<Record<PathChange["kind"], ChangeKind>> = {
  modified: ChangeKind.MODIFIED,
  added: ChangeKind.ADDED,
  deleted: ChangeKind.DELETED,
};

export async function statPathCall(
  { ref, path }: StatPathRequest,
  deps: CopyDeps,
  signal: AbortSignal,
): Promise<StatPathResponse> {
  return { stat: statMessage(await statPath(ref, path, deps, signal)) };
}

export async function* readArchiveCall(
  { ref, path, followLink }: ReadArchiveRequest,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<ReadArchiveResponse> {
  for await (const part of readArchive(ref, { path, followLink }, deps, signal)) {
    if (part.kind === "stat") yield { part: { $case: "stat", value: statMessage(part.stat) } };
    else if (part.kind === "data") yield { part: { $case: "data", value: Buffer.from(part.bytes) } };
  }
}

export async function* writeArchiveCall(
  requests: AsyncIterable<WriteArchiveRequest>,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<WriteArchiveResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = (await messages.next()).value?.part;
  if (first?.$case !== "open") throw openMissing("copy into a container");
  const { ref, path, noOverwriteDirNonDir: keepsKinds, copyUidGid: ownedByUser } = first.value;
  await writeArchive(ref, { path, keepsKinds, ownedByUser }, dataOf(messages), deps, signal);
  yield {};
}

async function* dataOf(messages: AsyncIterator<WriteArchiveRequest>): AsyncGenerator<Uint8Array> {
  for (let { value, done } = await messages.next(); done !== true; { value, done } = await messages.next()) {
    if (value.part?.$case === "data") yield value.part.value;
  }
}

export async function* listChangesCall(
  { ref }: ListChangesRequest,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<ListChangesResponse> {
  for await (const changes of listChanges(ref, deps, signal)) {
    yield { changes: changes.map(({ kind, path }) => ({ kind: CHANGES[kind], path })) };
  }
}

export async function* exportCall(
  { ref }: ExportContainerRequest,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<ExportContainerResponse> {
  for await (const data of exportContainer(ref, deps, signal)) yield { data: Buffer.from(data) };
}

function statMessage({ name, sizeBytes, mode, modifiedNs, linkTarget }: PathStat): PathStatMessage {
  return { name, sizeBytes, mode, modified: timestampOfNanoseconds(modifiedNs), linkTarget };
}
