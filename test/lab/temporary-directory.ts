import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { testRun } from "./run-directory.ts";

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/**
 * A directory that goes, with all that is in it, when its block ends. Below /var/tmp: on a real file system, where
 * overlay mounts and xattrs work as they do under /var/lib, which a tmpfs or an overlay root does not promise.
 */
export async function temporaryDirectory(label = "test"): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(testRun().directory, `${label}-`));
  await chmod(path, 0o711); // Postgres's unprivileged user passes through
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
