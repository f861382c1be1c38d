import { CtlError } from "../../kit/errors.ts";
import type { NamespaceModes } from "../spec/spec.ts";
import type { OciNamespace } from "./oci-config.ts";

export interface NamespaceFacts {
  /** Undefined: the host's (`--network host`). */
  readonly netnsPath: string | undefined;
  readonly isCgroupV2: boolean;
  /** The first process of another running container, for `container:ID`. */
  readonly pidOf: (containerRef: string) => number | undefined;
}

export interface Namespaces {
  readonly namespaces: readonly OciNamespace[];
  readonly ipc: "private" | "host" | "none" | "joined";
  readonly hasOwnUts: boolean;
  readonly hasHostPid: boolean;
}

/**
 * Private namespaces by default; cgroups are private on v2 and the host's on v1, as in Docker.
 * Throws INVALID_ARGUMENT NAMESPACE_INVALID, FAILED_PRECONDITION NAMESPACE_CONTAINER_NOT_RUNNING.
 */
export function namespacesOf(modes: NamespaceModes, facts: NamespaceFacts): Namespaces {
  const ipc = parseMode("ipc", modes.ipc, facts);
  const pid = parseMode("pid", modes.pid, facts);
  const uts = parseMode("uts", modes.uts, facts);
  const cgroup = parseMode("cgroup", modes.cgroup || (facts.isCgroupV2 ? "private" : "host"), facts);
  const namespaces: OciNamespace[] = [{ type: "mount" }];
  if (facts.netnsPath !== undefined) namespaces.push({ type: "network", path: facts.netnsPath });
  for (const one of [ipc, pid, uts, cgroup]) namespaces.push(...one.namespace);
  return {
    namespaces,
    ipc: ipc.kind,
    hasOwnUts: uts.kind === "private",
    hasHostPid: pid.kind === "host",
  };
}

type NamespaceKind = "ipc" | "pid" | "uts" | "cgroup";

interface ParsedMode {
  readonly kind: "private" | "host" | "none" | "joined";
  readonly namespace: readonly OciNamespace[];
}

function parseMode(type: NamespaceKind, mode: string, facts: NamespaceFacts): ParsedMode {
  if (mode === "host") return { kind: "host", namespace: [] };
  if (mode === "none" && type === "ipc") return { kind: "none", namespace: [{ type }] };
  if (mode === "" || mode === "private" || (mode === "shareable" && type === "ipc")) {
    return { kind: "private", namespace: [{ type }] };
  }
  if (!mode.startsWith("container:") || type === "uts" || type === "cgroup") throw invalid(type, mode);
  const container = mode.slice("container:".length);
  const pid = facts.pidOf(container);
  if (pid === undefined) throw notRunning(type, container);
  return { kind: "joined", namespace: [{ type, path: `/proc/${pid}/ns/${type}` }] };
}

function invalid(type: NamespaceKind, mode: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NAMESPACE_INVALID",
    what: `use --${type === "cgroup" ? "cgroupns" : type} ${mode}`,
    why: "there is no such mode",
    fix: "use private, host, or for ipc and pid container:NAME",
  });
}

function notRunning(type: NamespaceKind, container: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NAMESPACE_CONTAINER_NOT_RUNNING",
    what: `join the ${type} namespace of ${container}`,
    why: "that container does not run",
    fix: `start it first: ctl start ${container}`,
  });
}
