import type { Holder as HolderMessage } from "#proto/ctl/common/v1/common.ts";
import {
  type MountRequest,
  MountType,
  ResolvedMount as ResolvedMountMessage,
  Volume as VolumeMessage,
} from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../kit/errors.ts";
import { timestampOf } from "../../kit/timestamp.ts";
import type { ResolvedMount } from "../acquire.ts";
import { type Drivers, driverNamed } from "../drivers/driver.ts";
import type { MountInput } from "../mounts/mount.ts";
import type { Holder } from "../references.ts";
import type { Use } from "../store.ts";
import type { Volume } from "../volume.ts";

/** Throws INVALID_ARGUMENT HOLDER_MISSING. */
export function holderFrom(message: HolderMessage | undefined): Holder {
  if (message !== undefined && message.holder !== "" && message.operation !== "") return message;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "HOLDER_MISSING",
    what: "keep volumes for a container",
    why: "the request does not say which container and which operation",
  });
}

const KINDS: Readonly<Partial<Record<MountType, MountInput["kind"]>>> = {
  [MountType.BIND]: "bind",
  [MountType.VOLUME]: "volume",
  [MountType.TMPFS]: "tmpfs",
};

/** Throws INVALID_ARGUMENT MOUNT_TYPE_UNKNOWN. */
export function mountFrom(message: MountRequest): MountInput {
  const kind = KINDS[message.type];
  if (kind === undefined) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "MOUNT_TYPE_UNKNOWN",
      what: `mount something at ${message.target}`,
      why: "the mount's type is none of bind, volume and tmpfs",
    });
  }
  const { readOnly: isReadOnly, ...same } = message;
  return { ...same, kind, isReadOnly };
}

export function volumeMessage(
  volume: Volume,
  drivers: Drivers,
  { sizeBytes, uses = [] }: { readonly sizeBytes?: number | undefined; readonly uses?: readonly Use[] } = {},
): VolumeMessage {
  const { name, driver, labels, options, isAnonymous, createdAt, createdBy, holders } = volume;
  return VolumeMessage.fromPartial({
    name,
    driver,
    labels,
    options,
    isAnonymous,
    mountpoint: driverNamed(drivers, volume.driver).mountpoint(volume),
    created: timestampOf(createdAt),
    createdBy,
    holders: [...holders],
    uses: [...uses],
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  });
}

/** The gateway's `uid:1000 pid:4711` as what is worth keeping of it. */
export function makerOf(actor: string): string {
  return /^uid:\d+/.exec(actor)?.[0] ?? "";
}

export function mountMessage(mount: ResolvedMount): ResolvedMountMessage {
  const { target, isReadOnly: readOnly } = mount;
  switch (mount.kind) {
    case "bind": {
      const { source, propagation } = mount;
      const recursive = mount.recursion === "enabled" ? "" : mount.recursion;
      const type = MountType.BIND;
      return ResolvedMountMessage.fromPartial({ type, source, target, readOnly, propagation, recursive });
    }
    case "tmpfs":
      return ResolvedMountMessage.fromPartial({
        type: MountType.TMPFS,
        target,
        readOnly,
        tmpfsOptions: [...mount.options],
      });
    case "volume": {
      const { name, driver, source, needsCopyUp, subpath } = mount;
      const restrictions = [...mount.restrictions];
      const common = { type: MountType.VOLUME, name, driver, source, target, readOnly };
      return ResolvedMountMessage.fromPartial({ ...common, needsCopyUp, subpath, restrictions });
    }
    default:
      return mount satisfies never;
  }
}
