import { chownSync, closeSync, constants, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { heldTree, type OpenTree } from "../../kit/archive/tree.ts";
import { CtlError } from "../../kit/errors.ts";
import { descriptorPath, type FileCalls } from "../../kit/linux/file-calls.ts";
import { isErrno, lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { bindMount, MountFlag } from "../../kit/linux/mount.ts";
import { bindUnshare, NamespaceFlag } from "../../kit/linux/namespace.ts";
import { parseProcessStat } from "../../kit/linux/process-identity.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import { type OwnerShift, overlayOptions } from "../rootfs/overlay.ts";
import { mountShifted } from "../rootfs/shifted-layers.ts";
import { containerRefusals } from "./errors.ts";
import type { OverlayView, View, ViewMount } from "./jobs.ts";

/** A container's file tree, held open: whatever becomes of the container meanwhile, these mounts stay until it is let go. */
export interface OpenView extends OpenTree {
  /** Of an overlay: its container's writable layer. */
  readonly upperFd?: number;
}

const O_PATH = 0o10000000;
const DIRECTORY = O_PATH | constants.O_DIRECTORY;
const SYS_OPEN_TREE = 428;
const OPEN_TREE_CLONE = 1;
const O_CLOEXEC = 0o2000000;

/**
 * Opens a view in a thread that does nothing else and ends afterwards: an overlay view takes it to a mount namespace of
 * its own, whose mounts nobody else sees and which the kernel takes down with the thread, also when the process is killed.
 */
export function openView(view: View, calls: FileCalls): OpenView {
  switch (view.kind) {
    case "process":
      return processView(view.pid, view.startTicks);
    case "mounted":
      return held([cloneMount(view.path)]);
    case "overlay":
      return overlayView(view, calls);
    default:
      return view satisfies never;
  }
}

/** Descriptors of its mount namespace: paths that are opened from them cross its mounts, and none of ours. */
function processView(pid: number, startTicks: number): OpenView {
  const opened: number[] = [];
  try {
    opened.push(openSync(`/proc/${pid}/root`, DIRECTORY));
    // without this its mounts would come apart when its last process ends, and a volume's place be the bare root below
    opened.push(openSync(`/proc/${pid}/ns/mnt`, "r"));
    if (parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8")).startTicks === startTicks) return held(opened);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  for (const fd of opened) closeSync(fd);
  throw new CtlError("ABORTED", {
    reason: "CONTAINER_CHANGED",
    what: "look into the container",
    why: "it ended meanwhile",
    fix: "try again",
  });
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}

/** A copy of one mount that is mounted nowhere: taking the original down does not wait for it. */
function cloneMount(path: string): number {
  const openTree = loadLibc().func("long syscall(long, int, const char *, unsigned int)");
  const fd = Number(openTree(SYS_OPEN_TREE, -100, path, OPEN_TREE_CLONE | O_CLOEXEC));
  if (fd < 0) throw new SyscallError("open_tree", lastErrno(), path);
  return fd;
}

function held(fds: readonly number[]): OpenView {
  return heldTree(fds, containerRefusals);
}

function overlayView(view: OverlayView, calls: FileCalls): OpenView {
  const { bundle, upper, work, merged } = view.directories;
  const mount = bindMount();
  bindUnshare()(NamespaceFlag.mount);
  // a slave, not private: a root that the host unmounts must not stay mounted in here
  mount({ source: "none", target: "/", flags: MountFlag.slave | MountFlag.recursive });
  enterDirectory(view.layersDirectory);
  using sources = new Sources();
  const open = { upper: sources.open(upper), work: sources.open(work), merged: sources.open(merged) };
  const mounts = view.mounts.map((one) => ({ ...one, source: sources.open(one.source) }));
  const isMounted = statSync(merged).dev !== statSync(bundle).dev;
  // the stage lies over the bundle, whose directories are used by their descriptors from here on
  mount({ source: "tmpfs", target: bundle, type: "tmpfs", options: "mode=700" });
  const stage = { root: join(bundle, "root"), upper: join(bundle, "upper"), work: join(bundle, "work") };
  for (const directory of Object.values(stage)) mkdirSync(directory);
  if (view.shift !== undefined) chownSync(stage.upper, view.shift.root.uid, view.shift.root.gid);
  if (view.upperLayer === "written" && isMounted) {
    mount({ source: open.merged, target: stage.root, flags: MountFlag.bind });
  } else {
    const isWritten = view.upperLayer === "written";
    using shifted =
      view.shift === undefined || view.layers.length === 0
        ? undefined
        : mountShifted(view.layers, view.shift.usernsFd, join(bundle, "layers"));
    const below = shifted?.paths ?? view.layers;
    const layers = view.upperLayer === "shown" ? [...below, open.upper] : [...below];
    if (layers.length === 0) layers.push(stage.root); // an image without layers
    const directories = {
      upper: isWritten ? open.upper : stage.upper,
      work: isWritten ? open.work : stage.work,
      merged,
    };
    mount({
      source: "overlay",
      target: stage.root,
      type: "overlay",
      options: overlayOptions({ directories, layers, isVolatile: false }),
    });
  }
  const upperFd = openSync(open.upper, DIRECTORY);
  const root = { ...held([openSync(stage.root, DIRECTORY), upperFd]), upperFd };
  for (const one of mounts) mountInside(one, root.rootFd, { calls, mount, owner: view.shift?.root });
  if (view.isReadOnly) mount({ source: "none", target: stage.root, flags: READ_ONLY });
  return root;
}

const READ_ONLY = MountFlag.remount | MountFlag.bind | MountFlag.readOnly;

function enterDirectory(path: string): void {
  const chdir = loadLibc().func("int chdir(const char *)");
  if (chdir(path) !== 0) throw new SyscallError("chdir", lastErrno(), path);
}

interface Hands {
  readonly calls: FileCalls;
  readonly mount: ReturnType<typeof bindMount>;
  /** Of mount points that are missing; undefined: root. */
  readonly owner: OwnerShift["root"] | undefined;
}

function mountInside({ source, target, isReadOnly }: ViewMount, rootFd: number, hands: Hands): void {
  const { calls, mount } = hands;
  const fd = mountPoint(rootFd, target, statSync(source).isDirectory(), hands);
  try {
    mount({ source, target: descriptorPath(fd), flags: MountFlag.bind | MountFlag.recursive });
  } finally {
    calls.close(fd);
  }
  if (!isReadOnly) return;
  const mounted = calls.openInRoot(rootFd, target, "follow");
  try {
    mount({ source: "none", target: descriptorPath(mounted), flags: READ_ONLY });
  } finally {
    calls.close(mounted);
  }
}

/** As the runtime makes it at a start: directories that are missing, and a file for a file. */
function mountPoint(rootFd: number, target: BytePath, isDirectory: boolean, hands: Hands): number {
  const { calls, owner } = hands;
  try {
    return calls.openInRoot(rootFd, target, "follow");
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  const parent = dirname(target);
  const parentFd = parent === "." ? calls.openInRoot(rootFd, "", "keep") : mountPoint(rootFd, parent, true, hands);
  try {
    const name = target.slice(target.lastIndexOf("/") + 1);
    if (isDirectory) {
      calls.makeDirectory(parentFd, name);
      calls.chmodAt(parentFd, name, 0o755);
    } else {
      calls.close(calls.createFile(parentFd, name));
    }
    if (owner !== undefined) calls.chownAt(parentFd, name, owner.uid, owner.gid);
  } finally {
    calls.close(parentFd);
  }
  return calls.openInRoot(rootFd, target, "follow");
}

/** Paths of the host, held by descriptors that stay usable when something is mounted over them. */
class Sources implements Disposable {
  readonly #fds: number[] = [];

  open(path: string): string {
    const fd = this.#open(path);
    this.#fds.push(fd);
    return descriptorPath(fd);
  }

  #open(path: string): number {
    try {
      return openSync(path, O_PATH);
    } catch (cause) {
      throw new CtlError("FAILED_PRECONDITION", {
        reason: "MOUNT_SOURCE_MISSING",
        what: "look into the container with its mounts",
        why: `${path} is not there`,
        fix: "make it, or start the container",
        cause,
      });
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}
