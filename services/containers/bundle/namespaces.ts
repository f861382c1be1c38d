import { CtlError } from "../../kit/errors.ts";
import type { NamespaceModes } from "../spec/spec.ts";
import type { OciNamespace } from "./oci-config.ts";

export interface NamespaceFacts {
  /** Undefined: the host's (`--network host`). */
  readonly netnsPath: string | undefined;
  /** Undefined: the host's. */
  readonly usernsPath: string | undefined;
  readonly isCgroupV2: boolean;
  /** Other containers by the names of `container:NAME`. */
  readonly joined: ReadonlyMap<string, JoinedContainer>;
}

export interface JoinedContainer {
  /** Of its first process; undefined: it does not run. */
  readonly pid: number | undefined;
  /** Its /dev/shm on the host; undefined: it shares none. */
  readonly shmPath: string | undefined;
  readonly hostname: string;
  /** Whose files in /etc those have that share its network. */
  readonly bundlePath: string;
}

export interface Namespaces {
  readonly namespaces: readonly OciNamespace[];
  readonly ipc: IpcKind;
  readonly hasOwnUts: boolean;
  readonly hasHostPid: boolean;
}

export type IpcKind = ParsedMode["kind"];

/**
 * Private namespaces by default; cgroups are private on v2 and the host's on v1, as in Docker.
 * Throws INVALID_ARGUMENT NAMESPACE_INVALID, FAILED_PRECONDITION NAMESPACE_CONTAINER_NOT_RUNNING, NAMESPACE_NOT_SHAREABLE.
 */
export function namespacesOf(modes: NamespaceModes, facts: NamespaceFacts): Namespaces {
  const ipc = parseMode("ipc", modes.ipc, facts);
  const pid = parseMode("pid", modes.pid, facts);
  const uts = parseMode("uts", modes.uts, facts);
  const cgroup = parseMode("cgroup", modes.cgroup || (facts.isCgroupV2 ? "private" : "host"), facts);
  const namespaces: OciNamespace[] = [{ type: "mount" }];
  if (facts.usernsPath !== undefined) namespaces.push({ type: "user", path: facts.usernsPath });
  if (facts.netnsPath !== undefined) namespaces.push({ type: "network", path: facts.netnsPath });
  for (const one of [ipc, pid, uts, cgroup]) namespaces.push(...one.namespace);
  return {
    namespaces,
    ipc: ipc.kind,
    hasOwnUts: uts.kind === "private",
    hasHostPid: pid.kind === "host",
  };
}

/** Who shares another one's network. Undefined: the container has one of its own. */
export function networkSharer(
  { network = "" }: NamespaceModes,
  { joined }: Pick<NamespaceFacts, "joined">,
): JoinedContainer | undefined {
  return network === "" ? undefined : joined.get(network.slice("container:".length));
}

/** The namespace's path of the container whose network is shared. Throws FAILED_PRECONDITION NAMESPACE_CONTAINER_NOT_RUNNING. */
export function sharedNetworkPath(modes: NamespaceModes, facts: Pick<NamespaceFacts, "joined">): string | undefined {
  const { network = "" } = modes;
  if (network === "") return undefined;
  const pid = networkSharer(modes, facts)?.pid;
  if (pid === undefined) throw notRunning("network", network.slice("container:".length));
  return `/proc/${pid}/ns/net`;
}

type NamespaceType = "ipc" | "pid" | "uts" | "cgroup";
type NamespaceKind = "private" | "shareable" | "host" | "none" | "joined";

interface ParsedMode {
  readonly kind: NamespaceKind;
  readonly namespace: readonly OciNamespace[];
}

function parseMode(type: NamespaceType, mode: string, facts: NamespaceFacts): ParsedMode {
  if (mode === "host") return { kind: "host", namespace: [] };
  if (mode === "none" && type === "ipc") return { kind: "none", namespace: [{ type }] };
  if (mode === "shareable" && type === "ipc") return { kind: "shareable", namespace: [{ type }] };
  if (mode === "" || mode === "private") return { kind: "private", namespace: [{ type }] };
  if (!mode.startsWith("container:") || type === "uts" || type === "cgroup") throw invalid(type, mode);
  const container = mode.slice("container:".length);
  const other = facts.joined.get(container);
  if (other?.pid === undefined) throw notRunning(type, container);
  if (type === "ipc" && other.shmPath === undefined) throw notShareable(container);
  return { kind: "joined", namespace: [{ type, path: `/proc/${other.pid}/ns/${type}` }] };
}

function invalid(type: NamespaceType, mode: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NAMESPACE_INVALID",
    what: `use --${type === "cgroup" ? "cgroupns" : type} ${mode}`,
    why: "there is no such mode",
    fix: "use private, host, or for ipc and pid container:NAME",
  });
}

/** Docker's rule: who is not asked for it keeps its shared memory to itself. */
function notShareable(container: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NAMESPACE_NOT_SHAREABLE",
    what: `join the ipc namespace of ${container}`,
    why: `container ${container}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    fix: "run that container with --ipc shareable",
  });
}

function notRunning(type: NamespaceType | "network", container: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NAMESPACE_CONTAINER_NOT_RUNNING",
    what: `join the ${type} namespace of ${container}`,
    why: "that container does not run",
    fix: `start it first: ctl start ${container}`,
  });
}
