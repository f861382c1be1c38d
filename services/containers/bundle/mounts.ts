import { posix } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { ContainerMount } from "../spec/spec.ts";
import type { IpcKind } from "./namespaces.ts";
import type { OciMount } from "./oci-config.ts";

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;
const TMPFS_DEFAULTS = ["noexec", "nosuid", "nodev"] as const;
/** Pairs of which the later one said wins. */
const OPPOSITES = new Map([
  ["exec", "noexec"],
  ["suid", "nosuid"],
  ["dev", "nodev"],
  ["rw", "ro"],
]);

export interface MountFacts {
  readonly privileged: boolean;
  /** How message queues of the host's IPC namespace come in: from a user namespace they cannot be mounted anew. */
  readonly hostQueues: "mounted" | "bound" | "missing";
  /** Files of the bundle that the container sees under their usual names. */
  readonly hostFiles: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  readonly ipc: IpcKind;
  /** On the host, where /dev/shm is shared with other containers. */
  readonly sharedShmPath: string | undefined;
  readonly shmSizeBytes: number;
  /** `--security-opt writable-cgroups=true` */
  readonly hasWritableCgroups: boolean;
  /** A read-only bind can make what lies below it read-only too: Linux 5.12. */
  readonly hasRecursiveReadOnly: boolean;
  /** Sources of read-only binds that are no directories. */
  readonly files: ReadonlySet<string>;
  readonly readOnlyRootfs: boolean;
  /** Host path of the init program, when one is wanted. */
  readonly initPath: string | undefined;
}

export const INIT_TARGET = "/sbin/docker-init";

/**
 * Docker's mounts, then the caller's, each parent before what lies in it; a caller's mount takes the place of a default
 * one with the same target. Throws INVALID_ARGUMENT MOUNT_TARGET_INVALID, MOUNT_TARGET_TWICE; FAILED_PRECONDITION
 * RECURSIVE_READONLY_UNAVAILABLE.
 */
export function mountsOf(mounts: readonly ContainerMount[], facts: MountFacts): OciMount[] {
  const asked = mounts.map((one) => toOci(one, facts));
  const targets = new Set<string>();
  for (const { destination } of asked) {
    if (targets.has(destination)) throw twice(destination);
    targets.add(destination);
  }
  const defaults = [...systemMounts(facts), ...fileMounts(facts)].filter((one) => !targets.has(one.destination));
  return [...defaults, ...asked].sort((a, b) => depth(a) - depth(b));
}

function systemMounts(facts: MountFacts): OciMount[] {
  const access = facts.privileged ? "rw" : "ro";
  const quiet = ["nosuid", "noexec", "nodev"];
  return [
    mount("/proc", "proc", "proc", quiet),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/sys", "sysfs", "sysfs", [...quiet, access]),
    mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", [...quiet, facts.hasWritableCgroups ? "rw" : access]),
    ...ipcMounts(facts, quiet),
  ];
}

function ipcMounts(facts: MountFacts, quiet: readonly string[]): OciMount[] {
  const own = mount("/dev/mqueue", "mqueue", "mqueue", quiet);
  switch (facts.ipc) {
    case "private": {
      const size = facts.shmSizeBytes || DEFAULT_SHM_BYTES;
      return [own, mount("/dev/shm", "tmpfs", "shm", [...quiet, "mode=1777", `size=${size}`])];
    }
    case "host":
      return [
        // a new mount of it shows the namespace of who mounts: here the host's
        ...(facts.hostQueues === "mounted" ? [own] : []),
        ...(facts.hostQueues === "bound" ? [mount("/dev/mqueue", "bind", "/dev/mqueue", ["rbind", ...quiet])] : []),
        mount("/dev/shm", "bind", "/dev/shm", ["rbind", ...quiet]),
      ];
    case "shareable":
    case "joined":
      return facts.sharedShmPath === undefined
        ? [own]
        : [own, mount("/dev/shm", "bind", facts.sharedShmPath, ["rbind", "rprivate", ...quiet])];
    case "none":
      return [own];
    default:
      return facts.ipc satisfies never;
  }
}

function fileMounts({ hostFiles, initPath, readOnlyRootfs }: MountFacts): OciMount[] {
  const options = ["rbind", "rprivate", ...(readOnlyRootfs ? ["ro"] : [])];
  const files = [
    mount("/etc/resolv.conf", "bind", hostFiles.resolvConf, options),
    mount("/etc/hostname", "bind", hostFiles.hostname, options),
    mount("/etc/hosts", "bind", hostFiles.hosts, options),
  ];
  return initPath === undefined ? files : [...files, mount(INIT_TARGET, "bind", initPath, ["bind", "ro"])];
}

function toOci(one: ContainerMount, facts: MountFacts): OciMount {
  const destination = normalTarget(one.target);
  if (one.kind === "tmpfs") return mount(destination, "tmpfs", "tmpfs", tmpfsOptions(one.options));
  // crun takes any recursive word for a recursive bind; with nothing below, the plain word says the same
  const bind = one.recursive === "disabled" ? ["bind", one.propagation.replace(/^r/, "")] : ["rbind", one.propagation];
  const options = [...bind, ...(one.restrictions ?? []), ...(one.isReadOnly ? readOnlyOptions(one, facts) : [])];
  return mount(destination, "bind", one.source, options);
}

/** Docker's since 25: what is mounted below a read-only bind is read-only too, where the kernel can do it. */
function readOnlyOptions({ recursive, source, target }: BoundMount, facts: MountFacts): string[] {
  const { files, hasRecursiveReadOnly } = facts;
  // below a file there is nothing, and crun 1.8 opens what is to be read-only all the way down as a directory
  if (recursive === "writable" || recursive === "disabled" || files.has(source)) return ["ro"];
  if (hasRecursiveReadOnly) return ["ro", "rro"];
  if (recursive !== "readonly") return ["ro"];
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "RECURSIVE_READONLY_UNAVAILABLE",
    what: `mount all below ${target} read-only`,
    why: "this kernel cannot (it takes Linux 5.12)",
    fix: "leave bind-recursive=readonly out",
  });
}

type BoundMount = Exclude<ContainerMount, { kind: "tmpfs" }>;

function tmpfsOptions(said: readonly string[]): string[] {
  const options: string[] = [...TMPFS_DEFAULTS];
  for (const option of said) {
    const opposite = OPPOSITES.get(option) ?? [...OPPOSITES].find(([, no]) => no === option)?.[0];
    const at = opposite === undefined ? -1 : options.indexOf(opposite);
    if (at >= 0) options.splice(at, 1);
    options.push(option);
  }
  return options;
}

function normalTarget(target: string): string {
  const normal = posix.normalize(target).replace(/(?!^)\/$/, "");
  if (target.startsWith("/") && normal !== "/") return normal;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_TARGET_INVALID",
    what: `mount at "${target}" in the container`,
    why: normal === "/" ? "that is the container's root" : "it is not an absolute path",
    fix: "give an absolute path below /",
  });
}

function depth({ destination }: OciMount): number {
  return destination.split("/").length;
}

function mount(destination: string, type: string, source: string, options: readonly string[]): OciMount {
  return { destination, type, source, options };
}

function twice(target: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_TARGET_TWICE",
    what: `mount at "${target}" in the container`,
    why: "two mounts name the same target",
    fix: "leave one of them out",
  });
}
