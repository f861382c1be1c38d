import { openSync } from "node:fs";
import { CtlError } from "../kit/errors.ts";
import { Descriptor } from "../kit/linux/descriptor.ts";
import { bindOpenat2, OpenFlag, Resolve } from "../kit/linux/openat2.ts";
import { beginStep } from "../kit/outbox.ts";
import { fill } from "./copy-up/fill.ts";
import type { Deps } from "./deps.ts";
import { hasErrno } from "./errno.ts";
import type { Holder } from "./references.ts";
import { type Reference, referencesOf, settleCopyUp } from "./store.ts";
import type { VolumeName } from "./volume.ts";

export interface CopyUpRequest extends Holder {
  readonly volume: VolumeName;
  /** Host path of the container's mounted root. */
  readonly rootfs: string;
  /** Path in the container; resolved so that nothing in the root leads out of it. */
  readonly target: string;
}

/**
 * Fills an empty volume with what the image has at the target, owner and mode of the directory itself included. Once for
 * a container: what it deletes from its volume does not come back when it starts again.
 * Throws ABORTED OPERATION_UNDONE, FAILED_PRECONDITION VOLUME_NOT_ACQUIRED, ROOTFS_MISSING, COPY_UP_FAILED and
 * COPY_TOO_DEEP, RESOURCE_EXHAUSTED VOLUME_FULL.
 */
export async function copyUp(request: CopyUpRequest, deps: Deps, signal: AbortSignal): Promise<{ changed: boolean }> {
  const { volume, wantsCopyUp, owner } = await acquiredVolume(request, deps);
  if (!wantsCopyUp) return { changed: false };
  using source = openSource(request);
  const changed = source !== undefined && (await fill(volume, { source: source.fd, owner }, deps, signal));
  await settleCopyUp(deps.db, request.holder, volume.id);
  return { changed };
}

async function acquiredVolume({ holder, operation, volume }: CopyUpRequest, { db, node }: Deps): Promise<Reference> {
  const references = await db.transaction(async (tx) => {
    await beginStep(tx, operation, `fill the volume "${volume}" from the image`);
    return referencesOf(tx, node, holder);
  });
  const own = references.filter((reference) => reference.volume.name === volume);
  const reference = own.find(({ wantsCopyUp }) => wantsCopyUp) ?? own[0];
  if (reference !== undefined) return reference;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_NOT_ACQUIRED",
    what: `fill the volume "${volume}" from the image`,
    why: `container ${holder} does not refer to it`,
    fix: "acquire it first",
  });
}

/** The image's directory; undefined when there is none at the target. */
function openSource({ rootfs, target }: CopyUpRequest): Descriptor | undefined {
  using root = openRoot(rootfs);
  try {
    const how = { flags: OpenFlag.directory, resolve: Resolve.inRoot | Resolve.noMagicLinks };
    return new Descriptor(bindOpenat2()(root.fd, target, how));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

function openRoot(rootfs: string): Descriptor {
  try {
    return new Descriptor(openSync(rootfs, OpenFlag.path | OpenFlag.directory));
  } catch (cause) {
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "ROOTFS_MISSING",
      what: `read the container's root ${rootfs}`,
      why: "it is not there",
      fix: "prepare the container first",
      cause,
    });
  }
}
