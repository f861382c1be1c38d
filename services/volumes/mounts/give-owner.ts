import { constants, type Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { isFillable } from "../copy-up/fillable.ts";
import type { Deps } from "../deps.ts";
import { driverNamed } from "../drivers/driver.ts";
import { type Reference, settleCopyUp } from "../store.ts";
import type { Owner } from "../volume.ts";

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
