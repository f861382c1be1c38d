import type { Database } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { inSpan } from "../kit/telemetry/trace.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { shiftOf } from "./host/remap.ts";
import { isUp } from "./lifecycle.ts";
import { containerPaths } from "./paths.ts";
import type { Prepared } from "./preparations.ts";
import { mountRootfs, rootfsDirectories } from "./rootfs/overlay.ts";
import type { Given, GivenMount } from "./run/given.ts";
import type { Serial } from "./run/serial.ts";
import { type ContainerRow, recordFirstMounts, recordLayers } from "./store/containers.ts";

/**
 * A container's directory and its mounted root: needs neither network nor volumes, so it runs beside their steps.
 * Idempotent. Answers where the root is. Layers that differ from those of its creation (the image was pulled again) are kept
 * in the row: a restart needs them. So are the mounts of one that was never started.
 */
export async function prepareContainer(
  reference: string,
  operation: string,
  { mounts, ...layers }: Layers & { readonly mounts: readonly GivenMount[] },
  deps: PrepareDeps,
  signal: AbortSignal,
): Promise<string> {
  const row = await findContainer(deps.db, reference);
  // what is being copied into it has its root mounted elsewhere, and an overlay's layer has one mount at a time
  const prepare = async () => {
    const rootfs = await prepareNow(row, layers, deps, signal);
    if (mounts.length > 0) await recordFirstMounts(deps.db, row.id, { ...NOTHING_GIVEN, mounts });
    return rootfs;
  };
  // done again by an operation whose run has begun, and may have ended, since: nothing is to be mounted for it any more
  const isPast = operation !== "" && row.started_by === operation;
  return isPast ? containerPaths(deps.host.root, row.id).rootfs : deps.serial.run(row.id, prepare, signal);
}

const NOTHING_GIVEN: Given = { netnsPath: "", endpoints: [], ports: [], mounts: [], resolvConf: "" };

export interface PrepareDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly serial: Serial;
}

interface Layers {
  readonly names: readonly string[];
  readonly directory: string;
}

async function prepareNow(
  row: ContainerRow,
  layers: Layers,
  { db, host }: PrepareDeps,
  signal: AbortSignal,
): Promise<string> {
  if (row.state === "removing") throw beingRemoved(row.name);
  if (isUp(row.state)) return containerPaths(host.root, row.id).rootfs;
  signal.throwIfAborted();
  const rootfs = await prepareRow({ ...row, layers: [...layers.names] }, host);
  const isKnown =
    row.layers.length === layers.names.length && row.layers.every((name, at) => name === layers.names[at]);
  if (!isKnown) await recordLayers(db, row.id, layers.names, layers.directory);
  return rootfs;
}

/** The same of a row that is known and does not run: for who has its place in the container's queue. Idempotent. */
export async function prepareRow(row: Prepared, host: ContainerHost): Promise<string> {
  const { bundle, rootfs } = containerPaths(host.root, row.id);
  host.migration?.expect(row.id, EXPECTED_START_MS);
  await inSpan("rootfs.mount", {}, () =>
    mountRootfs(
      {
        directories: rootfsDirectories(bundle),
        layers: row.layers,
        isVolatile: row.auto_remove,
        shift: shiftOf(row.spec, host.remap),
      },
      (request) => host.thread.mountRoot(request),
    ),
  );
  return rootfs;
}

const EXPECTED_START_MS = 200;

export function beingRemoved(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_BEING_REMOVED",
    what: `use container ${name}`,
    why: "it is being removed",
    fix: "wait until it is gone",
  });
}
