import type { Database } from "../kit/database.ts";
import type { UserMapping } from "../kit/linux/user-mapping.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import type { VolumeArchives } from "./content/archives.ts";
import type { CopySyscalls } from "./copy-up/syscalls.ts";
import type { Drivers } from "./drivers/driver.ts";
import type { HostOwner, VolumeDirectories } from "./drivers/local/directories.ts";

/** The service's events and tables. */
export const SCHEMA = "volumes";

/** What the operations are made of; each takes the part that it uses. */
export interface Deps {
  readonly db: Database;
  /** This host: rows of others are not ours to touch. */
  readonly node: string;
  readonly drivers: Drivers;
  /** Of the volumes that are directories. */
  readonly directories: VolumeDirectories;
  /** Threads that read and write whole volumes. */
  readonly archives: VolumeArchives;
  readonly calls: CopySyscalls;
  readonly log: Logger;
  /** Of containers with user namespaces; undefined: ids are the host's. */
  readonly userMapping?: UserMapping | undefined;
  /** Whom directories that we make for containers belong to; undefined: root. */
  readonly newOwner?: HostOwner | undefined;
}
