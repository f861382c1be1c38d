import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { DeviceNode } from "../spec/spec.ts";
import { deviceNumbers } from "./device-numbers.ts";
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

const DEVICE_RULE = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/;

export interface DeviceWish {
  readonly devices: readonly DeviceNode[];
  readonly deviceCgroupRules?: readonly string[];
  readonly privileged: boolean;
}

export interface Devices {
  readonly nodes: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/**
 * The device nodes that a container gets beyond the usual ones, and what its devices cgroup lets it do. Privileged: all
 * of the host's. A directory means every device below it. Throws INVALID_ARGUMENT DEVICE_INVALID, DEVICE_MISSING,
 * DEVICE_RULE_INVALID.
 */
export async function devicesOf(wish: DeviceWish): Promise<Devices> {
  const { devices: requests, deviceCgroupRules = [], privileged } = wish;
  if (privileged) return { nodes: await nodesBelow("/dev", "/dev"), rules: ALL_RULES };
  const nodes: OciDevice[] = [];
  const rules: OciDeviceRule[] = [...DEFAULT_RULES];
  for (const request of requests) {
    const found = await requestedNodes(request);
    nodes.push(...found);
    for (const node of found) rules.push(ruleOf(node, request.permissions || "rwm"));
  }
  return { nodes, rules: [...rules, ...deviceCgroupRules.map(parseRule)] };
}

/** `c 42:* rwm`, see the kernel's Documentation/admin-guide/cgroup-v1/devices.rst. */
function parseRule(text: string): OciDeviceRule {
  const [, type = "", major = "*", minor = "*", access = ""] = DEVICE_RULE.exec(text) ?? [];
  if (type !== "a" && type !== "b" && type !== "c") throw ruleInvalid(text);
  return {
    allow: true,
    type,
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}

async function requestedNodes(request: DeviceNode): Promise<OciDevice[]> {
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

export async function nodeAt(path: string, target: string): Promise<OciDevice | undefined> {
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

export function ruleOf(node: OciDevice, access: string): OciDeviceRule {
  return { allow: true, type: node.type === "b" ? "b" : "c", major: node.major, minor: node.minor, access };
}

function invalid(request: DeviceNode, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_INVALID",
    what: `give the device ${request.hostPath} to the container`,
    why,
    fix: "write --device HOST-PATH[:CONTAINER-PATH[:rwm]]",
  });
}

function ruleInvalid(text: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_RULE_INVALID",
    what: "allow the container devices",
    why: `invalid device cgroup format '${text}'`,
    fix: "write TYPE MAJOR:MINOR rwm, as in c 42:* rwm",
  });
}

function missing(request: DeviceNode, cause: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_MISSING",
    what: `give the device ${request.hostPath} to the container`,
    why: "the host has no such file",
    fix: "look with ls -l /dev which devices there are",
    cause,
  });
}
