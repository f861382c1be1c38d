import { deadline } from "../kit/deadlines.ts";
import { recordEvent } from "../kit/outbox.ts";
import { containerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import { notRunning } from "./kill.ts";
import { isUp } from "./lifecycle.ts";
import { containerPaths } from "./paths.ts";
import { mountRootfs, rootfsDirectories } from "./rootfs/overlay.ts";
import { type StartDeps, startContainer } from "./start.ts";
import { type StopDeps, type StopWish, stopContainer } from "./stop.ts";
import { type ContainerRow, containerById } from "./store/containers.ts";

const START_TIMEOUT_MS = 60_000;

/**
 * Stops a running container and starts it again in the same sandbox and with the same mounts: nobody else is needed.
 * Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING: a stopped one needs a whole start, which the gateway does.
 */
export async function restartContainer(
  reference: string,
  wish: StopWish,
  defaultSignal: (row: ContainerRow) => string,
  deps: StartDeps & StopDeps,
  signal: AbortSignal,
): Promise<string> {
  const row = await findContainer(deps.db, reference);
  if (!isUp(row.state) || row.given === null) throw notRunning(row.name);
  await stopContainer(row.id, wish, defaultSignal, deps, signal);
  // from here on it is finished whatever the caller does: a container must not stay down because a client went away
  const ends = deadline(START_TIMEOUT_MS, `start container ${row.name} again`);
  const now = (await containerById(deps.db, row.id)) ?? row;
  const directories = rootfsDirectories(containerPaths(deps.host.root, row.id).bundle);
  await deps.serial.run(
    row.id,
    () =>
      mountRootfs({ directories, layers: now.layers, isVolatile: now.auto_remove }, (request) =>
        deps.host.thread.mount(request),
      ),
    ends,
  );
  await startContainer(row.id, "", row.given, deps, ends);
  await deps.db.transaction((tx) => recordEvent(tx, deps.db.schema, containerEvent("restart", row)));
  return row.id;
}
