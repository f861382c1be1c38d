import { createHash, type Hash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../kit/atomic-write.ts";
import { abortError } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { type Digest, digestAlgorithm, digestFrom, digestMismatch } from "../digest.ts";
import { blobPath, ingestDirectory } from "./blob-path.ts";
import { lockTemporary } from "./temporary-lock.ts";

export interface ExpectedContent {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

/**
 * A blob on its way into the store: a temporary file, hashed while it is written. `commit` makes it a blob or throws;
 * disposed without it, nothing stays. Several may write the same digest at once: each renames a whole, verified file.
 */
export interface BlobIngest extends AsyncDisposable {
  /** Throws DATA_LOSS DIGEST_MISMATCH as soon as there is more than was announced; NO_SPACE. */
  write(chunk: Uint8Array): Promise<void>;
  /** Whether what was written is what was announced; instead of `commit`. Throws DATA_LOSS DIGEST_MISMATCH. */
  verify(): void;
  /** Verifies, fsyncs, renames, fsyncs the directory. Throws DATA_LOSS DIGEST_MISMATCH; RESOURCE_EXHAUSTED NO_SPACE. */
  commit(): Promise<void>;
}

export async function openIngest(root: string, expected: ExpectedContent): Promise<BlobIngest> {
  const directory = ingestDirectory(root);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await mkdir(dirname(blobPath(root, expected.digest)), { recursive: true, mode: 0o700 });
  const path = join(directory, randomBytes(9).toString("hex"));
  const file = await open(path, "wx", 0o600);
  lockTemporary(file.fd);
  return new Ingest(root, path, file, expected);
}

/** The same checks for content that is not to be kept, or is there already. */
export function verifyOnly(expected: ExpectedContent): BlobIngest {
  const content = new ContentCheck(expected);
  return {
    write: async (chunk) => content.add(chunk),
    verify: () => content.verify(),
    commit: async () => content.verify(),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Stores a whole stream. The same errors as the pieces; CANCELLED when the signal aborts. */
export async function ingestBlob(
  root: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: ExpectedContent,
  signal: AbortSignal,
): Promise<void> {
  await using ingest = await openIngest(root, expected);
  for await (const chunk of content) {
    if (signal.aborted) throw abortError(signal, `store ${expected.digest}`);
    await ingest.write(chunk);
  }
  await ingest.commit();
}

/** Counts and hashes content as it goes by. */
class ContentCheck {
  readonly #expected: ExpectedContent;
  readonly #hash: Hash;
  #size = 0;

  constructor(expected: ExpectedContent) {
    this.#expected = expected;
    this.#hash = createHash(digestAlgorithm(expected.digest));
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#expected.size) throw wrongSize(this.#expected, `more than ${this.#expected.size}`);
    this.#hash.update(chunk);
  }

  verify(): void {
    const { digest, size } = this.#expected;
    if (this.#size !== size) throw wrongSize(this.#expected, `${this.#size}`);
    const actual = digestFrom(this.#hash, digestAlgorithm(digest));
    if (actual !== digest) throw digestMismatch(`store ${digest}`, digest, actual);
  }
}

class Ingest implements BlobIngest {
  readonly #root: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #content: ContentCheck;
  readonly #digest: Digest;
  #isOpen = true;

  constructor(root: string, path: string, file: FileHandle, expected: ExpectedContent) {
    this.#root = root;
    this.#path = path;
    this.#file = file;
    this.#content = new ContentCheck(expected);
    this.#digest = expected.digest;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#content.add(chunk);
    await this.#guard(async () => {
      for (let at = 0; at < chunk.length; ) at += (await this.#file.write(chunk, at)).bytesWritten;
    });
  }

  verify(): void {
    this.#content.verify();
  }

  async commit(): Promise<void> {
    this.#content.verify();
    const target = blobPath(this.#root, this.#digest);
    await this.#guard(async () => {
      await this.#file.sync();
      await rename(this.#path, target);
      await this.#close();
      await syncDirectory(dirname(target));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    await rm(this.#path, { force: true });
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#isOpen = false;
    await this.#file.close();
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw isNoSpace(error) ? noSpace(`store ${this.#digest}`, error) : error;
    }
  }
}

export function noSpace(what: string, cause: unknown): CtlError {
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "NO_SPACE",
    what,
    why: "the disk that holds images is full",
    fix: "make room: ctl image prune removes images that nothing uses",
    cause,
  });
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function wrongSize(expected: ExpectedContent, actual: string): CtlError {
  return new CtlError("DATA_LOSS", {
    reason: "DIGEST_MISMATCH",
    what: `store ${expected.digest}`,
    why: `it has ${actual} bytes, not ${expected.size}`,
    fix: "try again; if it stays so, the registry or a proxy in between serves damaged content",
  });
}
