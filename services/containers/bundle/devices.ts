import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { DeviceRequest } from "../spec/spec.ts";
import type { OciDevice, OciDeviceRule } from "./oci-config.ts";

/** What Docker allows in every container: making nodes, and using those that the runtime makes. */
const DEFAULT_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" }, // null
  { allow: true, type: "c", major: 1, minor: 5, access: "rwm" }, // zero
  { allow: true, type: "c", major: 1, minor: 7, access: "rwm" }, // full
  { allow: true, type: "c", major: 1, minor: 8, access: "rwm" }, // random
  { allow: true, type: "c", major: 1, minor: 9, access: "rwm" }, // urandom
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" }, // tty
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" }, // ptmx
  { allow: true, type: "c", major: 136, access: "rwm" }, // pts
];
const ALL_RULES: readonly OciDeviceRule[] = [{ allow: true, access: "rwm" }];
const PERMISSIONS = /^[rwm]{1,3}$/;
/** Instances of the host's terminals and shared memory: a privileged container has its own. */
const NOT_HANDED_ON = new Set(["pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts"]);

export interface Devices {
  readonly nodes: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/**
 * The device nodes that a container gets beyond the usual ones, and what its devices cgroup lets it do. Privileged: all
 * of the host's. A directory means every device below it. Throws INVALID_ARGUMENT DEVICE_INVALID, DEVICE_MISSING.
 */
export async function devicesOf(requests: readonly DeviceRequest[], privileged: boolean): Promise<Devices> {
  if (privileged) return { nodes: await nodesBelow("/dev", "/dev"), rules: ALL_RULES };
  const nodes: OciDevice[] = [];
  const rules: OciDeviceRule[] = [...DEFAULT_RULES];
  for (const request of requests) {
    const found = await requestedNodes(request);
    nodes.push(...found);
    for (const node of found) rules.push(ruleOf(node, request.permissions || "rwm"));
  }
  return { nodes, rules };
}

async function requestedNodes(request: DeviceRequest): Promise<OciDevice[]> {
  const target = request.containerPath || request.hostPath;
  if (request.permissions !== "" && !PERMISSIONS.test(request.permissions)) {
    throw invalid(request, `"${request.permissions}" is not a combination of r, w and m`);
  }
  const source = await realpath(request.hostPath).catch((cause: unknown) => {
    throw missing(request, cause);
  });
  const stats = await stat(source);
  if (stats.isDirectory()) return nodesBelow(source, target);
  const node = await nodeAt(source, target);
  if (node === undefined) throw invalid(request, "it is not a device");
  return [node];
}

async function nodesBelow(directory: string, target: string): Promise<OciDevice[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found: OciDevice[] = [];
  for (const entry of entries) {
    if (NOT_HANDED_ON.has(entry.name)) continue;
    const path = join(directory, entry.name);
    const inside = join(target, entry.name);
    if (entry.isDirectory()) found.push(...(await nodesBelow(path, inside)));
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) found.push(...toList(await nodeAt(path, inside)));
  }
  return found;
}

function toList<T>(one: T | undefined): T[] {
  return one === undefined ? [] : [one];
}

async function nodeAt(path: string, target: string): Promise<OciDevice | undefined> {
  // a device can go while /dev is walked
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined || !(stats.isCharacterDevice() || stats.isBlockDevice())) return undefined;
  return {
    type: stats.isBlockDevice() ? "b" : "c",
    path: target,
    ...deviceNumbers(stats.rdev),
    fileMode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
  };
}

/** glibc's dev_t: the major in bits 8 to 19 and from 32 on, the minor in the rest. See makedev(3). */
function deviceNumbers(rdev: number): { major: number; minor: number } {
  const low = rdev % 2 ** 32;
  const high = Math.floor(rdev / 2 ** 32);
  return {
    major: ((low >>> 8) & 0xfff) | (high & ~0xfff),
    minor: (low & 0xff) | ((low >>> 12) & ~0xff),
  };
}

function ruleOf(node: OciDevice, access: string): OciDeviceRule {
  return { allow: true, type: node.type === "b" ? "b" : "c", major: node.major, minor: node.minor, access };
}

function invalid(request: DeviceRequest, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_INVALID",
    what: `give the device ${request.hostPath} to the container`,
    why,
    fix: "write --device HOST-PATH[:CONTAINER-PATH[:rwm]]",
  });
}

function missing(request: DeviceRequest, cause: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_MISSING",
    what: `give the device ${request.hostPath} to the container`,
    why: "the host has no such file",
    fix: "look with ls -l /dev which devices there are",
    cause,
  });
}
