import { setImmediate as nextTurn } from "node:timers/promises";
import { abortError } from "../../kit/deadlines.ts";
import { HostThread } from "../../kit/linux/thread.ts";
import type { Owner } from "../volume.ts";
import { copyTree } from "./copy-tree.ts";
import { moveEntries } from "./move-entries.ts";
import type { CopySyscalls } from "./syscalls.ts";

/** Work from one open directory to another; descriptors are the process's, so a thread can be given their numbers. */
export type TreeWork = {
  readonly source: number;
  readonly destination: number;
} & ({ readonly kind: "copy"; readonly owner: Owner | undefined } | { readonly kind: "move" });

const SLICE_MS = 4;
const WHAT = "fill the volume from the image";

/** The work in small pieces, a pause or the end possible between any two. */
export function piecesOf(work: TreeWork, calls: CopySyscalls): Generator<void> {
  const { source, destination } = work;
  if (work.kind === "copy") return copyTree(source, destination, calls, work.owner);
  return moveEntries(source, destination, calls);
}

/**
 * Works on this thread in slices of 4 ms, the service's other calls in between: for local file systems, where a write
 * ends soon. A thread would take 31 ms to start (measured), longer than most copies.
 */
export async function workInSlices(work: TreeWork, calls: CopySyscalls, signal: AbortSignal): Promise<void> {
  let sliceEnds = performance.now() + SLICE_MS;
  for (const _ of piecesOf(work, calls)) {
    if (performance.now() < sliceEnds) continue;
    await nextTurn();
    if (signal.aborted) throw abortError(signal, WHAT);
    sliceEnds = performance.now() + SLICE_MS;
  }
}

export type ThreadWork = TreeWork & {
  /** Not zero: give up. */
  readonly cancelled: Int32Array;
};

/** What the thread tree-work.thread.ts does. */
export type TreeWorkOperations = { readonly work: (work: ThreadWork) => void };

/** Works on a thread of its own: for mounted volumes, whose server may let a call hang for ever. */
export async function workInThread(work: TreeWork, signal: AbortSignal): Promise<void> {
  const program = new URL("./tree-work.thread.ts", import.meta.url);
  await using thread = await HostThread.start<TreeWorkOperations>({ program, name: "tree-work" }, signal);
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const onAbort = () => Atomics.store(cancelled, 0, 1);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // ended, never abandoned: the descriptors are closed behind it
    await thread.call("work", { ...work, cancelled });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (signal.aborted) throw abortError(signal, WHAT);
}
