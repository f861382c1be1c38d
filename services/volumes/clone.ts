import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { within } from "../kit/deadlines.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { inSpan } from "../kit/telemetry/trace.ts";
import { contentFailed } from "./content/failed.ts";
import { holdVolume } from "./content/hold.ts";
import { nameTaken, newContent } from "./content/new-content.ts";
import { workInThread } from "./copy-up/tree-work.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER } from "./drivers/driver.ts";
import { volumeNamed } from "./store.ts";
import type { StringMap, Volume, VolumeName } from "./volume.ts";

export interface CloneRequest {
  readonly source: string;
  readonly name: VolumeName;
  readonly labels: StringMap;
  /** As `Volume.createdBy` has it. */
  readonly createdBy: string;
}

/** A volume of some terabytes on a slow disk; the caller's own deadline may be shorter. */
const CLONE_TIMEOUT_MS = 6 * 3_600_000;

/**
 * A new local volume with the content that another one has, faithfully (owners, modes, times, links, attributes, holes), by
 * reflinks where the file system has them. Who writes meanwhile may find a part of that in it. The new volume appears when
 * it is complete. Throws NOT_FOUND VOLUME_NOT_FOUND, ALREADY_EXISTS VOLUME_NAME_IN_USE, RESOURCE_EXHAUSTED VOLUME_FULL,
 * FAILED_PRECONDITION VOLUME_COPY_FAILED and COPY_TOO_DEEP.
 */
export async function cloneVolume(request: CloneRequest, deps: Deps, signal: AbortSignal): Promise<Volume> {
  const { source, name, labels, createdBy } = request;
  return inSpan("volume.clone", { attributes: { [attribute.volumeName]: name } }, async () => {
    const patience = within(signal, CLONE_TIMEOUT_MS, `clone volume "${source}"`);
    // seen at the end too; but nobody should wait for a copy to hear it
    if ((await volumeNamed(deps.db, deps.node, name)) !== undefined) throw nameTaken(name);
    await using held = await holdVolume({ name: source, purpose: "clone" }, deps, patience);
    await using content = await newContent(deps, held.signal);
    await copy(held.path, content.path, deps, content.signal);
    const plain = { driver: DEFAULT_DRIVER, options: {}, isAnonymous: false };
    return await content.publish({ ...plain, name, labels: { ...held.volume.labels, ...labels } }, createdBy);
  });
}

async function copy(from: string, to: string, { calls }: Deps, signal: AbortSignal): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  try {
    await using source = await open(from, flags);
    await using destination = await open(to, flags);
    const work = { kind: "copy", source: source.fd, destination: destination.fd, owner: undefined } as const;
    await workInThread(work, signal);
    await calls.syncFilesystem(destination.fd); // a row says that it is complete: so it must be after a power cut too
  } catch (error) {
    throw contentFailed("clone the volume", error);
  }
}
