import { isAbsolute, posix } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { type Owner, parseVolumeName, type StringMap, type VolumeName } from "../volume.ts";
import { parseOwner } from "./owner.ts";
import { type Propagation, parsePropagation } from "./propagation.ts";
import { parseRecursion, type Recursion } from "./recursion.ts";
import { parseSubpath } from "./subpath.ts";
import { parseTmpfsOptions } from "./tmpfs-options.ts";

/** A mount as it is asked for, before anything in it has been looked at. */
export interface MountInput {
  readonly kind: Mount["kind"];
  readonly source: string;
  readonly target: string;
  readonly isReadOnly: boolean;
  readonly propagation: string;
  readonly createSource: boolean;
  readonly noCopy: boolean;
  readonly driver: string;
  readonly driverOptions: StringMap;
  readonly labels: StringMap;
  readonly tmpfsOptions: readonly string[];
  readonly isFromImage: boolean;
  readonly subpath: string;
  readonly recursive: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

interface AnyMount {
  /** Absolute and clean path in the container. */
  readonly target: string;
  readonly isReadOnly: boolean;
}

export interface BindMount extends AnyMount {
  readonly kind: "bind";
  /** Absolute and clean path on the host. */
  readonly source: string;
  readonly propagation: Propagation;
  /** A missing source is made as a directory. */
  readonly createSource: boolean;
  readonly recursion: Recursion;
}

export interface VolumeMount extends AnyMount {
  readonly kind: "volume";
  /** Undefined: a volume of the holder's own, without a name. */
  readonly name: VolumeName | undefined;
  readonly noCopy: boolean;
  /** Whom it belongs to while it is empty. */
  readonly owner: Owner | undefined;
  /** Only this part of the volume, relative and clean; empty: all of it. */
  readonly subpath: string;
  /** Undefined: the driver that the volume has; `local` for a new one. */
  readonly driver: string | undefined;
  readonly driverOptions: StringMap;
  readonly labels: StringMap;
}

export interface TmpfsMount extends AnyMount {
  readonly kind: "tmpfs";
  /** Docker's defaults with the caller's behind them; what contradicts a later one is left out. */
  readonly options: readonly string[];
}

export type Mount = BindMount | VolumeMount | TmpfsMount;

/**
 * All mounts of a container, in the order given; a VOLUME of the image where the caller mounts something is left out.
 * Throws INVALID_ARGUMENT MOUNT_TARGET_INVALID, MOUNT_TARGET_DUPLICATE, BIND_SOURCE_INVALID, PROPAGATION_INVALID,
 * RECURSION_INVALID, MOUNT_OWNER_INVALID, SUBPATH_INVALID, TMPFS_OPTION_INVALID, VOLUME_NAME_INVALID.
 */
export function parseMounts(inputs: readonly MountInput[]): Mount[] {
  const asked = inputs.map((input) => ({ input, target: parseTarget(input.target) }));
  const taken = new Set<string>();
  for (const { input, target } of asked) {
    if (input.isFromImage) continue;
    if (taken.has(target)) throw targetDuplicate(target);
    taken.add(target);
  }
  return asked.flatMap(({ input, target }) => {
    if (input.isFromImage && taken.has(target)) return [];
    taken.add(target); // an image that names a VOLUME twice means one
    return [parseMount(input, target)];
  });
}

function parseMount(input: MountInput, target: string): Mount {
  const common = { target, isReadOnly: input.isReadOnly };
  const owner = parseOwner(input);
  switch (input.kind) {
    case "bind":
      return {
        ...common,
        kind: "bind",
        source: parseSource(input.source),
        propagation: parsePropagation(input.propagation),
        createSource: input.createSource,
        recursion: parseRecursion(input.recursive),
      };
    case "tmpfs":
      return { ...common, kind: "tmpfs", options: parseTmpfsOptions(input.tmpfsOptions) };
    case "volume":
      return {
        ...common,
        kind: "volume",
        name: input.source === "" ? undefined : parseVolumeName(input.source),
        // what the image has belongs into the whole volume
        noCopy: input.noCopy || input.subpath !== "",
        owner,
        subpath: parseSubpath(input.subpath),
        driver: input.driver === "" ? undefined : input.driver,
        driverOptions: input.driverOptions,
        labels: input.labels,
      };
    default:
      return input.kind satisfies never;
  }
}

function parseTarget(text: string): string {
  const target = isUsable(text) ? withoutSlash(posix.normalize(text)) : "";
  if (target !== "" && target !== "/") return target;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_TARGET_INVALID",
    what: `mount something at "${text}"`,
    why: target === "/" ? "a container's root is its image" : "it is not an absolute path",
    fix: "give an absolute path in the container, as /data",
  });
}

function parseSource(text: string): string {
  if (isUsable(text)) return withoutSlash(posix.normalize(text));
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "BIND_SOURCE_INVALID",
    what: `mount "${text}" of the host`,
    why: "it is not an absolute path",
    fix: "give an absolute path on the host",
  });
}

function isUsable(path: string): boolean {
  return isAbsolute(path) && !path.includes("\0");
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

function targetDuplicate(target: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_TARGET_DUPLICATE",
    what: `mount two things at ${target}`,
    why: "a place in the container can hold one mount",
    fix: "give each mount a target of its own",
  });
}
