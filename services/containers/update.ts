import type { Database } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { linuxResources } from "./cgroups/limits.ts";
import { containerCgroups } from "./cgroups/placement.ts";
import { applyLimits, limitWrites } from "./cgroups/update.ts";
import { containerEvent } from "./events.ts";
import type { RestartPolicy } from "./exits/restart-policy.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { isUp } from "./lifecycle.ts";
import { beingRemoved } from "./prepare.ts";
import type { Serial } from "./run/serial.ts";
import type { ContainerId, ContainerSpec, Resources } from "./spec/spec.ts";
import { type ContainerRow, lockContainer, updateSpec } from "./store/containers.ts";
import { cancelRestart } from "./store/restarts.ts";

export interface UpdateWish {
  /** What is 0 or empty stays as it is; -1: no limit. */
  readonly resources: Partial<Resources>;
  /** Undefined: as it is. */
  readonly restart: RestartPolicy | undefined;
}

export interface UpdateDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly serial: Serial;
  /** The caller's wish, which is kept as bytes for showing, with what has become of it. */
  readonly rewish: (wish: Buffer, spec: Pick<ContainerSpec, "resources" | "restart">) => Buffer;
}

/**
 * Other limits and another restart policy, for the process that runs and for every later run. All of it or nothing: when
 * the kernel refuses a limit, those before it are as they were. Throws INVALID_ARGUMENT LIMIT_INVALID; FAILED_PRECONDITION
 * LIMIT_REFUSED, RESTART_POLICY_REFUSED, CONTAINER_BEING_REMOVED.
 */
export async function updateContainer(
  reference: string,
  wish: UpdateWish,
  deps: UpdateDeps,
  signal: AbortSignal,
): Promise<{ id: string; warnings: readonly string[] }> {
  const { id } = await findContainer(deps.db, reference);
  const warnings = await deps.serial.run(id, () => updateNow(id, wish, deps), signal);
  return { id, warnings };
}

async function updateNow(id: string, wish: UpdateWish, { db, host, rewish }: UpdateDeps): Promise<readonly string[]> {
  let undo = async (): Promise<void> => {};
  try {
    return await db.transaction(async (tx) => {
      const row = await lockContainer(tx, id);
      if (row === undefined || row.state === "removing") throw beingRemoved(row?.name ?? id.slice(0, 12));
      if (wish.restart !== undefined && wish.restart.mode !== "no" && row.auto_remove) throw removesItself(row);
      const resources = merged(row.spec.resources, wish.resources);
      const { warnings } = linuxResources(resources, host.limits);
      const spec = { resources, restart: wish.restart ?? row.spec.restart };
      await updateSpec(tx, row.id, { ...row.spec, ...spec }, rewish(row.wish, spec));
      if (wish.restart?.mode === "no" && row.state === "restarting") await cancelRestart(tx, row.id, "");
      await recordEvent(tx, db.schema, containerEvent("update", row));
      if (isUp(row.state)) undo = await applyTo(row, resources, host);
      return warnings;
    });
  } catch (error) {
    await undo();
    throw error;
  }
}

async function applyTo(row: ContainerRow, after: Resources, host: ContainerHost): Promise<() => Promise<void>> {
  const { payload } = containerCgroups(host.cgroupParent, row.id as ContainerId, row.spec.cgroupParent);
  const change = { before: row.spec.resources, after };
  return applyLimits(limitWrites(host.layout, payload, change, host.limits), `update container ${row.name}`);
}

/** -1 takes a limit away, but where it is itself a value: swap without a limit. */
function merged(before: Resources, wish: Partial<Resources>): Resources {
  const said = Object.entries(wish).filter(([, value]) => value !== 0 && value !== "" && value !== undefined);
  const asLimits = said.map(([key, value]) => [key, value === -1 && key !== "memorySwapBytes" ? 0 : value]);
  return { ...before, ...Object.fromEntries(asLimits) };
}

function removesItself({ name }: ContainerRow): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "RESTART_POLICY_REFUSED",
    what: `update container ${name}`,
    why: "it removes itself when it ends (--rm), so nothing can restart it",
    fix: "leave --restart out",
  });
}
