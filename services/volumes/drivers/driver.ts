import { CtlError, isCtlError } from "../../kit/errors.ts";
import type { StringMap, Volume } from "../volume.ts";

/** What a driver is told of a volume. */
export type DriverVolume = Pick<Volume, "id" | "name" | "options">;

/** mount(8)'s words. */
export type Restriction = "ro" | "nosuid" | "nodev" | "noexec";

/**
 * Where the content of volumes lives. Every method can be called twice, and after a crash in the middle of itself.
 * What changes anything is called with the volume's row locked: no two of these run at once for one volume.
 */
export interface VolumeDriver {
  /** Before a row is written. Throws INVALID_ARGUMENT VOLUME_OPTION_INVALID naming the option. */
  checkOptions(options: StringMap): void;
  /** The host path of the content, as it is while the volume is attached. */
  mountpoint(volume: DriverVolume): string;
  /** What the volume's own mount refuses: a runtime that binds it somewhere sets that mount's flags anew (crun 1.8). */
  restrictions(volume: DriverVolume): readonly Restriction[];
  /** Makes what the content needs on the host; nothing is mounted for it yet. */
  create(volume: DriverVolume): Promise<void>;
  /** True when attach has nothing to do. */
  isReady(volume: DriverVolume): Promise<boolean>;
  /** Makes the content reachable at its mountpoint, creating it where it is missing. */
  attach(volume: DriverVolume, signal: AbortSignal): Promise<void>;
  /** Gives up what attach did beyond the content itself: nobody refers to the volume any more. */
  detach(volume: DriverVolume): Promise<void>;
  /**
   * Takes a detached volume's content away, by a rename, inside the transaction that deletes the row. If that is rolled
   * back, the next attach brings the content back; once it is committed, upkeep deletes it.
   * Throws FAILED_PRECONDITION VOLUME_BUSY.
   */
  discard(volume: DriverVolume): Promise<void>;
  /** A directory for the copy of what is to fill the volume; on the same file system as the mountpoint. */
  stagingDirectory(volume: DriverVolume, name: string): string;
}

/** Docker's word for a volume of this host. */
export const DEFAULT_DRIVER = "local";

/** By name; undefined: no driver can have that name. */
export type Drivers = { get(name: string): VolumeDriver | undefined };

/** Throws NOT_FOUND VOLUME_DRIVER_NOT_FOUND. */
export function driverNamed(drivers: Drivers, name: string): VolumeDriver {
  const driver = drivers.get(name);
  if (driver !== undefined) return driver;
  throw new CtlError("NOT_FOUND", {
    reason: "VOLUME_DRIVER_NOT_FOUND",
    what: `use the volume driver "${name}"`,
    why: "no driver can have that name",
    fix: "use local, or the name of a volume plugin",
  });
}

/** What its plugin would have to do cannot be done now: a container must be able to go all the same. */
export function isPluginGone(error: unknown): boolean {
  return isCtlError(error) && ["VOLUME_DRIVER_NOT_FOUND", "VOLUME_PLUGIN_UNREACHABLE"].includes(error.reason);
}
