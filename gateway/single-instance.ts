import { mkdir, open, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import koffi from "koffi";
import { deadline, sleep } from "../services/kit/deadlines.ts";
import { CtlError } from "../services/kit/errors.ts";
import { loadLibc } from "../services/kit/linux/libc.ts";
import { identityOf, isAlive } from "./supervisor/process.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * The one ctld of a run directory: holds a lock that the kernel frees when the process ends, however it ends.
 * Throws FAILED_PRECONDITION DAEMON_RUNNING.
 */
export async function claimRunDirectory(run: string): Promise<AsyncDisposable> {
  await mkdir(run, { recursive: true, mode: 0o755 });
  const file = await open(lockPath(run), "a+", 0o644);
  const flock = loadLibc().func("int flock(int fd, int operation)");
  if (flock(file.fd, LOCK_EX | LOCK_NB) !== 0) {
    await file.close();
    const pid = await lockHolder(run);
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "DAEMON_RUNNING",
      what: "start ctld",
      why: `another one${pid === undefined ? "" : ` (pid ${pid})`} runs with ${run} (errno ${koffi.errno()})`,
      fix: "stop it with ctld stop, or choose another --run, --root and --instance",
    });
  }
  await file.truncate(0);
  await file.write(`${process.pid}\n`);
  return { [Symbol.asyncDispose]: () => file.close() };
}

function lockPath(run: string): string {
  return join(run, "ctld.lock");
}

async function lockHolder(run: string): Promise<number | undefined> {
  const pid = Number((await readFile(lockPath(run), "utf8").catch(() => "")).trim());
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

const STOP_TIMEOUT_MS = 90_000;

/** `ctld stop`: asks the running daemon to end and waits until it has. False: none runs. */
export async function stopRunning(run: string): Promise<boolean> {
  const pid = await lockHolder(run);
  if (pid === undefined || !(await isLocked(run))) return false;
  const daemon = identityOf(pid);
  process.kill(pid, "SIGTERM");
  const ends = deadline(STOP_TIMEOUT_MS, "stop ctld");
  // the lock is free a moment before the process is gone
  while ((await isLocked(run)) || (daemon !== undefined && isAlive(daemon))) await sleep(20, ends);
  return true;
}

async function isLocked(run: string): Promise<boolean> {
  const file = await open(lockPath(run), "r").catch(() => undefined);
  if (file === undefined) return false;
  try {
    const flock = loadLibc().func("int flock(int fd, int operation)");
    return flock(file.fd, LOCK_EX | LOCK_NB) !== 0;
  } finally {
    await file.close();
  }
}

/**
 * Mounts made in a private mount namespace end with it, and containers with their mounts: a daemon does not start there.
 * Throws FAILED_PRECONDITION PRIVATE_MOUNT_NAMESPACE.
 */
export async function refusePrivateMounts(): Promise<void> {
  const [own, host] = await Promise.all([
    readlink("/proc/self/ns/mnt"),
    readlink("/proc/1/ns/mnt").catch(() => undefined),
  ]);
  if (host === undefined || own === host) return;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "PRIVATE_MOUNT_NAMESPACE",
    what: "start ctld",
    why: "it runs in a mount namespace of its own, and containers' mounts would end with it",
    fix: "start it in the host's; in a systemd unit remove options like PrivateTmp=, ProtectSystem= and ReadOnlyPaths=",
  });
}
