import { CtlError } from "../../kit/errors.ts";
import { nodeAt, ruleOf } from "../bundle/devices.ts";
import { mergeEnvironment } from "../bundle/env.ts";
import type { OciConfig, OciDevice, OciDeviceRule, OciHook, OciMount } from "../bundle/oci-config.ts";
import type { CdiEdits } from "./specification.ts";

/**
 * A container's configuration with the edits of its CDI devices. A node takes the place of one with its path, a mount that
 * of one with its target. Throws INVALID_ARGUMENT DEVICE_MISSING.
 */
export async function injectDevices(config: OciConfig, all: readonly CdiEdits[]): Promise<OciConfig> {
  let edited = config;
  for (const edits of all) edited = await inject(edited, edits);
  return edited;
}

async function inject(config: OciConfig, edits: CdiEdits): Promise<OciConfig> {
  const { process, linux } = config;
  const found = await Promise.all(edits.deviceNodes.map(nodeOf));
  const paths = new Set(found.map(({ node }) => node.path));
  const targets = new Set(edits.mounts.map(({ containerPath }) => containerPath));
  const gids = [...new Set([...(process.user.additionalGids ?? []), ...edits.additionalGids])];
  const rules = [...(linux.resources.devices ?? []), ...found.map(({ rule }) => rule)];
  return {
    ...config,
    process: {
      ...process,
      env: mergeEnvironment(process.env, edits.env),
      user: { ...process.user, additionalGids: gids },
    },
    mounts: [...config.mounts.filter(({ destination }) => !targets.has(destination)), ...edits.mounts.map(mountOf)],
    linux: {
      ...linux,
      devices: [...(linux.devices ?? []).filter(({ path }) => !paths.has(path)), ...found.map(({ node }) => node)],
      resources: { ...linux.resources, devices: rules },
    },
    ...(edits.hooks.length === 0 ? {} : { hooks: withHooks(config.hooks, edits.hooks) }),
  };
}

async function nodeOf(wanted: CdiEdits["deviceNodes"][number]): Promise<{ node: OciDevice; rule: OciDeviceRule }> {
  const { path, hostPath = path, permissions } = wanted;
  const onHost = await nodeAt(hostPath, path);
  const type = wanted.type ?? onHost?.type;
  const major = wanted.major ?? onHost?.major;
  const minor = wanted.minor ?? onHost?.minor;
  if (type === undefined || major === undefined || minor === undefined) throw missing(hostPath);
  const { fileMode = onHost?.fileMode, uid = onHost?.uid, gid = onHost?.gid } = wanted;
  const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  const node = { type, path, major, minor, ...(fileMode === undefined ? {} : { fileMode }), ...owner };
  return { node, rule: ruleOf(node, permissions || "rwm") };
}

function mountOf({ hostPath, containerPath, options, type }: CdiEdits["mounts"][number]): OciMount {
  const isBind = options.some((option) => option === "bind" || option === "rbind");
  return {
    destination: containerPath,
    source: hostPath,
    type,
    options: isBind || type !== "bind" ? options : ["rbind", ...options],
  };
}

function withHooks(before: OciConfig["hooks"], hooks: CdiEdits["hooks"]): NonNullable<OciConfig["hooks"]> {
  const all: Record<string, OciHook[]> = {};
  for (const [name, list] of Object.entries(before ?? {})) all[name] = [...list];
  for (const { hookName, timeout, ...hook } of hooks) {
    all[hookName] = [...(all[hookName] ?? []), { ...hook, ...(timeout === undefined ? {} : { timeout }) }];
  }
  return all;
}

function missing(path: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_MISSING",
    what: `give the device ${path} to the container`,
    why: "its CDI specification names it, and the host has no such device",
    fix: "make the specification anew",
  });
}
