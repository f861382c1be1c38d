import { imageView } from "./archive/choose-view.ts";
import type { PathChange } from "./archive/jobs.ts";
import type { CopyDeps } from "./copy.ts";
import { findContainer } from "./find.ts";

/** Where a start makes what its own mounts need, as far as the image lacks it: Docker has them in a layer of its own. */
const OF_EVERY_START = [
  "dev",
  "dev/console",
  "dev/mqueue",
  "dev/pts",
  "dev/shm",
  "etc/hostname",
  "etc/hosts",
  "etc/resolv.conf",
  "proc",
  "sbin/docker-init",
  "sys",
];

/** What differs between a container's writable layer and its image, parents before children, in pieces. */
export async function* listChanges(
  ref: string,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<readonly PathChange[], void, undefined> {
  const row = await findContainer(deps.db, ref);
  const job = {
    view: await imageView(row, deps.host),
    task: { kind: "changes", ignored: OF_EVERY_START },
  } as const;
  for await (const part of deps.archives.run(job, undefined, signal)) {
    if (part.kind === "changes") yield part.changes;
  }
}
