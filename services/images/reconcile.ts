import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../kit/database.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import { sweepIngests } from "./blobs/sweep.ts";
import { removeLayerDirectory, sweepLayers } from "./layers/layer-directory.ts";
import type { ImagePaths } from "./paths.ts";
import { fillingLayers, forgetLayer, layerNames } from "./store/layers.ts";

export interface ReconcileDeps {
  readonly db: Database;
  readonly node: string;
  readonly paths: ImagePaths;
  readonly log: Logger;
}

/**
 * Compares rows and directories and mends what a crash left: layers that a dead pull was filling, directories without a
 * row, temporaries without a writer. Reports what it mended.
 */
export async function reconcile(deps: ReconcileDeps): Promise<void> {
  const { db, node, paths, log } = deps;
  const known = await layerNames(db, node);
  const abandoned = await abandonedLayers(deps);
  for (const name of abandoned) {
    await removeLayerDirectory(join(paths.layers, name));
    await forgetLayer(db, node, name);
  }
  const strays = (await readdir(paths.layers).catch(() => [])).filter(
    (name) => !name.startsWith(".") && !known.has(name),
  );
  const current = strays.length === 0 ? known : await layerNames(db, node); // one that was reserved a moment ago has a row
  for (const name of strays) if (!current.has(name)) await removeLayerDirectory(join(paths.layers, name));
  const temporaries = (await sweepLayers(paths.layers)) + (await sweepIngests(paths.blobs));
  const mended = abandoned.length + strays.length + temporaries;
  if (mended === 0) return;
  log.warn(
    { "ctl.layers": abandoned.length, "ctl.strays": strays.length, "ctl.temporaries": temporaries },
    "image store mended",
  );
}

/** Layers whose pull does not hold its lock any more. */
async function abandonedLayers({ db, node }: ReconcileDeps): Promise<string[]> {
  const filling = await fillingLayers(db, node);
  if (filling.length === 0) return [];
  const session = await db.session();
  try {
    const abandoned: string[] = [];
    for (const { name, filled_by: key } of filling) {
      const { rows } = await session.query("select pg_try_advisory_lock($1::bigint) as free", [key]);
      if (rows[0]?.free === true) abandoned.push(name);
    }
    return abandoned;
  } finally {
    await session.end();
  }
}
