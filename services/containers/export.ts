import { rootView } from "./archive/choose-view.ts";
import type { CopyDeps } from "./copy.ts";
import { recordContainerEvent } from "./events.ts";
import { findContainer } from "./find.ts";

/** A container's whole root as a tar, without its volumes and without what it mounts itself. */
export async function* exportContainer(
  ref: string,
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const row = await findContainer(deps.db, ref);
  const view = await rootView(row, deps.host);
  const job = { view, task: { kind: "export" }, userMapping: row.spec.userMapping } as const;
  for await (const part of deps.archives.run(job, undefined, signal)) {
    if (part.kind === "data") yield part.bytes;
  }
  await recordContainerEvent(deps.db, "export", row);
}
