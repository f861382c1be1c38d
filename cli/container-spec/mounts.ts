import { MountType } from "#proto/ctl/volumes/v1/volumes.ts";
import { type Mount, parseVolume } from "../values/mount.ts";
import type { Wish } from "./build.ts";
import { conflict } from "./conflicts.ts";

const MOUNT_TYPES = { bind: MountType.BIND, volume: MountType.VOLUME, tmpfs: MountType.TMPFS } as const;

/** `-v`, `--mount` and `--tmpfs` as one list. Throws INVALID_ARGUMENT FLAGS_CONFLICT, MOUNT_INVALID, VOLUME_NAME_INVALID. */
export function mountsOf({ flags, env, image }: Pick<Wish, "flags" | "env" | "image">) {
  const here = { directory: process.cwd(), home: env["HOME"] ?? "/root" };
  const driver = flags["volume-driver"] ?? "";
  const volumes = flags.volume.map((volume) => withDriver(parseVolume(volume, here), driver));
  const mounts = [...volumes, ...flags.mount, ...flags.tmpfs];
  const targets = mounts.map((mount) => mount.target);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) throw conflict(image, `duplicate mount point: ${twice}`, "mount one thing there");
  return mounts.map(toRequest);
}

function withDriver(mount: Mount, driver: string): Mount {
  return mount.type === "volume" ? { ...mount, driver } : mount;
}

function toRequest(mount: Mount) {
  return {
    ...mount,
    type: MOUNT_TYPES[mount.type],
    driverOptions: { ...mount.driverOptions },
    labels: { ...mount.labels },
    tmpfsOptions: [...mount.tmpfsOptions],
    isFromImage: false,
  };
}
