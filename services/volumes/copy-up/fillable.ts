import { opendir } from "node:fs/promises";
import { hasErrno } from "../errno.ts";

/** Directories of copies that are under way begin so; below a mounted volume they lie among the content. */
const STAGING_PREFIX = ".ctl-copy-up.";

export function stagingName(random: string): string {
  return `${STAGING_PREFIX}${random}`;
}

export function isStagingName(name: string): boolean {
  return name.startsWith(STAGING_PREFIX);
}

/** True when there is no content, or nothing at all yet. */
export async function isFillable(directory: string): Promise<boolean> {
  try {
    for await (const entry of await opendir(directory)) {
      if (!isStagingName(entry.name)) return false;
    }
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    throw error;
  }
}
