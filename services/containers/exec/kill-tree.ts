import { readFile } from "node:fs/promises";
import { bindPidfds, type Pidfds, type ProcessHandle } from "../../kit/linux/pidfd.ts";

const SIGKILL = 9;

/**
 * Kills a process and all its descendants and waits until they have ended, again until no new ones turn up. Those
 * already orphaned are not found. Rejects when the signal aborts.
 */
export async function killTree(pid: number, signal: AbortSignal): Promise<void> {
  const pidfds = bindPidfds();
  for (;;) {
    using handles = new DisposableStack();
    const living = [...(await descendants(pid)), pid].flatMap((one) => livingHandle(pidfds, one, handles));
    for (const handle of living) handle.signal(SIGKILL);
    for (const handle of living) await handle.ended(signal);
    if (living.length === 0) return;
  }
}

/**
 * The same for what lies below a process that takes its orphans in (a subreaper) and reaps them: nothing gets out of its
 * tree, and no zombie stays. Until it has ended or has nobody below it any more.
 */
export async function killBelow(pid: number, signal: AbortSignal): Promise<void> {
  const pidfds = bindPidfds();
  for (;;) {
    using handles = new DisposableStack();
    const living = (await descendants(pid)).flatMap((one) => livingHandle(pidfds, one, handles));
    for (const handle of living) handle.signal(SIGKILL);
    for (const handle of living) await handle.ended(signal);
    if (living.length === 0) return;
  }
}

/** The children of a process and theirs, deepest first. */
export async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
  const below = await Promise.all(children.map(descendants));
  return [...below.flat(), ...children];
}

function livingHandle(pidfds: Pidfds, pid: number, owner: DisposableStack): ProcessHandle[] {
  const handle = pidfds.open(pid);
  if (handle === undefined) return [];
  owner.use(handle);
  return handle.hasEnded() ? [] : [handle];
}
