import type { MessagePort } from "node:worker_threads";
import { AsyncQueue } from "../../kit/async-queue.ts";
import { CtlError, isCtlError } from "../../kit/errors.ts";
import { descriptorPath, type FileCalls, loadFileCalls } from "../../kit/linux/file-calls.ts";
import { SyscallError, syscallFailure } from "../../kit/linux/libc.ts";
import { toFailure } from "../../kit/linux/thread-failure.ts";
import { decompress } from "../../kit/tar/decompress.ts";
import { TarReader } from "../../kit/tar/reader.ts";
import { rootFiles } from "../bundle/root-files.ts";
import { resolveUser } from "../bundle/user.ts";
import { Comparison } from "./compare.ts";
import { archiveInvalid } from "./errors.ts";
import { type ArchiveJob, type FromThread, type Part, type PathChange, type ToThread, WINDOW } from "./jobs.ts";
import { Packer } from "./pack.ts";
import { baseName, find, pathStat, statPath } from "./tree.ts";
import { Unpacker } from "./unpack.ts";
import { openView } from "./view.ts";

const BATCH_BYTES = 128 << 10;
const CHANGES_A_PART = 1000;

/** Runs one job in this thread and answers over the port, which it closes. Never rejects. */
export async function runJob(job: ArchiveJob, port: MessagePort): Promise<void> {
  const asker = new Asker(port);
  try {
    const calls = loadFileCalls();
    using view = openView(job.view, calls);
    await perform(job, view, calls, asker);
    asker.post({ kind: "done" });
  } catch (error) {
    asker.post({ kind: "failed", failure: toFailure(named(error)) });
  } finally {
    port.close();
  }
}

async function perform(
  { task, userMapping }: ArchiveJob,
  view: ReturnType<typeof openView>,
  calls: FileCalls,
  asker: Asker,
) {
  switch (task.kind) {
    case "stat":
      return asker.send({ kind: "stat", stat: statPath(view, task.path, calls) });
    case "read": {
      using found = find(view, task.path, task.followLink ? "follow" : "keep", calls);
      await asker.send({ kind: "stat", stat: pathStat(view, task.path, found, calls) });
      using packer = new Packer(view, userMapping, calls);
      return await sendArchive(packer.archive(found, baseName(task.path)), asker);
    }
    case "export": {
      using found = find(view, "", "keep", calls);
      using packer = new Packer(view, userMapping, calls);
      return await sendArchive(packer.archive(found, "./"), asker);
    }
    case "write": {
      const { keepsKinds, user } = task;
      const owner = user === "" ? undefined : await resolveUser(user, [], rootFiles(descriptorPath(view.rootFd)));
      using unpacker = new Unpacker(view, task.path, { keepsKinds, owner, userMapping }, calls);
      return await unpack(unpacker, asker);
    }
    case "changes":
      return sendChanges(new Comparison(view, task.ignored, calls).changes(view.upperFd ?? view.rootFd), asker);
    default:
      return task satisfies never;
  }
}

async function sendArchive(chunks: Iterable<Uint8Array>, asker: Asker): Promise<void> {
  let batch: Uint8Array[] = [];
  let size = 0;
  const flush = async () => {
    if (size > 0) await asker.send({ kind: "data", bytes: Buffer.concat(batch) });
    [batch, size] = [[], 0];
  };
  for (const chunk of chunks) {
    batch.push(chunk);
    size += chunk.length;
    if (size >= BATCH_BYTES) await flush();
  }
  await flush();
}

async function sendChanges(all: Iterable<PathChange>, asker: Asker): Promise<void> {
  let changes: PathChange[] = [];
  for (const one of all) {
    changes.push(one);
    if (changes.length < CHANGES_A_PART) continue;
    await asker.send({ kind: "changes", changes });
    changes = [];
  }
  if (changes.length > 0) await asker.send({ kind: "changes", changes });
}

async function unpack(unpacker: Unpacker, asker: Asker): Promise<void> {
  const reader = new TarReader(unpacker);
  const chunks = asker.chunks()[Symbol.asyncIterator]();
  try {
    for await (const chunk of decompress(chunks)) reader.push(chunk);
    reader.finish();
  } catch (error) {
    // the reader speaks of layers, where most archives come from
    if (isCtlError(error) && error.reason.startsWith("LAYER_")) throw archiveInvalid(error.why, error);
    throw error;
  }
  unpacker.finish();
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()); // what follows the archive's end
}

function named(error: unknown): unknown {
  return error instanceof SyscallError ? syscallFailure(error, "look into the container") : error;
}

/** Whoever asked for the job: takes parts as fast as it can use them, and may leave. */
class Asker {
  readonly #port: MessagePort;
  readonly #chunks = new AsyncQueue<Uint8Array>();
  readonly #stopped = Promise.withResolvers<never>();
  #room = WINDOW;
  #more = Promise.withResolvers<void>();

  constructor(port: MessagePort) {
    this.#port = port;
    this.#stopped.promise.catch(() => {});
    port.on("message", (message: ToThread) => this.#take(message));
    port.on("close", () => this.#stop());
  }

  post(message: FromThread): void {
    this.#port.postMessage(message);
  }

  /** Waits until there is room. Throws CANCELLED once nobody wants it any more. */
  async send(part: Part): Promise<void> {
    while (this.#room === 0) {
      this.#more = Promise.withResolvers();
      await Promise.race([this.#more.promise, this.#stopped.promise]);
    }
    this.#room--;
    this.post({ kind: "part", part });
    // a turn of the event loop: what says stop must be heard between two parts
    await Promise.race([new Promise((resolve) => setImmediate(resolve)), this.#stopped.promise]);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#chunks) {
      yield chunk;
      this.post({ kind: "consumed" });
    }
  }

  #take(message: ToThread): void {
    if (message.kind === "chunk") this.#chunks.push(message.bytes);
    else if (message.kind === "end") this.#chunks.end();
    else if (message.kind === "stop") this.#stop();
    else {
      this.#room++;
      this.#more.resolve();
    }
  }

  #stop(): void {
    const why = "it is no longer wanted";
    const error = new CtlError("CANCELLED", { reason: "CANCELLED", what: "copy files of a container", why });
    this.#chunks.fail(error);
    this.#stopped.reject(error);
  }
}
