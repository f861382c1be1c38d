import { constants, type Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { CtlError } from "../../kit/errors.ts";
import { hostId, type IdRange, type UserMapping } from "../../kit/linux/user-mapping.ts";
import { isFillable } from "../copy-up/fillable.ts";
import type { Deps } from "../deps.ts";
import { driverNamed } from "../drivers/driver.ts";
import { type Reference, settleCopyUp } from "../store.ts";
import type { Owner } from "../volume.ts";
import type { VolumeMount } from "./mount.ts";

/** chown(2) takes it for "as it is". */
const UNCHANGED = -1;

/**
 * Gives an attached volume's directory the owner that was asked for, while it is empty: content that is there, and the
 * place that it lies in, are never changed. Once for a container; what the copy-up brings gets its owner there.
 */
export async function giveOwner({ holder, owner, volume, wantsCopyUp }: Reference, deps: Deps): Promise<void> {
  if (owner === undefined) return;
  const mountpoint = driverNamed(deps.drivers, volume.driver).mountpoint(volume);
  if (await isFillable(mountpoint)) {
    await using directory = await open(mountpoint, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    await directory.chown(owner.uid ?? UNCHANGED, owner.gid ?? UNCHANGED);
    if (wantsCopyUp) return; // the owner is still to be known to it
  }
  await settleCopyUp(deps.db, holder, volume.id);
}

/**
 * An owner is named by the ids that containers know. Throws INVALID_ARGUMENT MOUNT_OWNER_INVALID for one that their user
 * namespace does not have.
 */
export function hostOwner({ owner, target }: VolumeMount, mapping: UserMapping | undefined): Owner | undefined {
  if (owner === undefined || mapping === undefined) return owner;
  const on = (ranges: readonly IdRange[], id: number | undefined) => {
    const found = id === undefined ? undefined : hostId(ranges, id);
    if (id !== undefined && found === undefined) throw notMapped(target, id);
    return found;
  };
  return { uid: on(mapping.uids, owner.uid), gid: on(mapping.gids, owner.gid) };
}

function notMapped(target: string, id: number): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_OWNER_INVALID",
    what: `give ${target} an owner`,
    why: `the containers' user namespace has no user or group ${id}`,
    fix: "choose one of its range (/etc/subuid, /etc/subgid)",
  });
}

/** What to say when a volume had content and so kept an owner that is not the one asked for; undefined: nothing. */
export async function keptOwner(
  wanted: Owner | undefined,
  { volume }: Reference,
  { drivers }: Deps,
): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  const found = await stat(driverNamed(drivers, volume.driver).mountpoint(volume));
  if (isOwner(wanted, found)) return undefined;
  const asked = `${wanted.uid ?? ""}:${wanted.gid ?? ""}`;
  return `volume ${volume.name} belongs to ${found.uid}:${found.gid} and not to ${asked}: what has content is not changed`;
}

function isOwner({ uid, gid }: Owner, found: Stats): boolean {
  return (uid ?? found.uid) === found.uid && (gid ?? found.gid) === found.gid;
}
