import {
  Container,
  type Due,
  DueAction as DueCode,
  HealthStatus as HealthCode,
  type StartContainerRequest,
  ContainerState as StateCode,
} from "#proto/ctl/containers/v1/containers.ts";
import { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { ImageConfig } from "#proto/ctl/images/v1/images.ts";
import { Endpoint } from "#proto/ctl/networks/v1/networks.ts";
import { MountType, ResolvedMount } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../kit/errors.ts";
import { timestampOf } from "../../kit/timestamp.ts";
import { type HealthStatus, shownHealth } from "../health/verdict.ts";
import type { ContainerState } from "../lifecycle.ts";
import type { ContainerPaths } from "../paths.ts";
import type { ContainerSize } from "../rootfs/sizes.ts";
import type { Given, GivenEndpoint, GivenMount } from "../run/given.ts";
import type { ContainerRow } from "../store/containers.ts";
import type { DueAction, DueRow } from "../store/due.ts";
import type { RecordedHealth } from "../store/health.ts";
import { parseMount } from "./spec.ts";

export const STATES: Readonly<Record<ContainerState, StateCode>> = {
  created: StateCode.CREATED,
  running: StateCode.RUNNING,
  paused: StateCode.PAUSED,
  restarting: StateCode.RESTARTING,
  removing: StateCode.REMOVING,
  exited: StateCode.EXITED,
};

const DUE: Readonly<Record<DueAction, DueCode>> = {
  remove: DueCode.REMOVE,
  deactivate: DueCode.DEACTIVATE,
  start: DueCode.START,
};

export function dueMessage({ id, run, action, is_removing: isRemoving, has_mounts: hasMounts }: DueRow): Due {
  return { id, run, action: DUE[action], isRemoving, hasMounts };
}

export function parseDue(action: DueCode): DueAction {
  for (const [name, code] of Object.entries(DUE)) if (code === action) return name as DueAction;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "DUE_ACTION_UNKNOWN",
    what: "clear what is due for a container",
    why: "there is no such action",
  });
}

export interface ShownExtras {
  readonly paths: ContainerPaths;
  readonly execIds?: readonly string[];
  readonly size?: ContainerSize | undefined;
  /** Absent: it has no health check. */
  readonly health?: RecordedHealth | undefined;
}

/** A row as the contract has it: the wish as it was made, and copies of what the container was given. */
export function containerMessage(row: ContainerRow, { paths, execIds = [], size, health }: ShownExtras): Container {
  const [path = "", ...args] = row.command;
  const given = row.given === null ? {} : givenMessage(row.id, row.given, row.has_sandbox);
  return Container.fromPartial({
    id: row.id,
    name: row.name,
    created: timestampOf(row.created_at),
    state: STATES[row.state],
    spec: ContainerSpec.decode(row.wish),
    imageId: row.image_id,
    imageDigest: row.image_digest,
    imageConfig: ImageConfig.decode(row.image_config),
    path,
    args,
    pid: row.pid,
    ...(row.exit_code === null ? {} : { exitCode: row.exit_code }),
    oomKilled: row.oom_killed,
    error: row.error,
    started: row.started_at === null ? undefined : timestampOf(row.started_at),
    finished: row.finished_at === null ? undefined : timestampOf(row.finished_at),
    restartCount: row.restart_count,
    ...given,
    logPath: row.spec.logging?.driver === "none" ? "" : paths.log,
    runtime: row.runtime,
    rootfsPath: paths.rootfs,
    hostnamePath: paths.hostname,
    hostsPath: paths.hosts,
    resolvConfPath: paths.resolvConf,
    run: row.run,
    execIds: [...execIds],
    ...size,
    ...(row.peak_memory_bytes === null ? {} : { peakMemoryBytes: Number(row.peak_memory_bytes) }),
    ...(health === undefined || row.run === 0 ? {} : { health: healthMessage(row, health) }),
  });
}

export const HEALTH: Readonly<Record<HealthStatus, HealthCode>> = {
  starting: HealthCode.STARTING,
  healthy: HealthCode.HEALTHY,
  unhealthy: HealthCode.UNHEALTHY,
};

function healthMessage({ state }: ContainerRow, { failingStreak, log, consequence, ...health }: RecordedHealth) {
  return {
    status: HEALTH[shownHealth(state, health.status)],
    failingStreak,
    log: log.map(({ start, end, ...probe }) => ({ ...probe, start: timestampOf(start), end: timestampOf(end) })),
    consequence,
  };
}

/** Copies of what a container was given, for showing. */
export function givenMessage(id: string, { endpoints, ports, mounts, netnsPath }: Given, hasSandbox: boolean) {
  return {
    endpoints: endpoints.map((endpoint) =>
      Endpoint.fromPartial({ ...endpoint, aliases: [...endpoint.aliases], holder: id }),
    ),
    ports: hasSandbox ? ports.map((port) => ({ ...port })) : [],
    mounts: mounts.map(mountMessage),
    netnsPath,
  };
}

export function parseGivenMount(mount: ResolvedMount): GivenMount {
  return { name: mount.name, driver: mount.driver, mount: parseMount(mount) };
}

/** What the other services gave, as the narrow type that is kept in the row. */
export function parseGiven(request: StartContainerRequest): Given {
  return {
    netnsPath: request.netnsPath,
    endpoints: request.endpoints.map(parseEndpoint),
    ports: request.ports,
    mounts: request.mounts.map(parseGivenMount),
    resolvConf: request.resolvConf,
  };
}

export function parseEndpoint({ holder: _holder, holderName: _name, ...endpoint }: Endpoint): GivenEndpoint {
  return endpoint;
}

function mountMessage({ name, driver, mount }: GivenMount): ResolvedMount {
  const common = { name, driver, target: mount.target };
  if (mount.kind === "tmpfs") {
    return ResolvedMount.fromPartial({ ...common, type: MountType.TMPFS, tmpfsOptions: [...mount.options] });
  }
  return ResolvedMount.fromPartial({
    ...common,
    type: mount.kind === "volume" ? MountType.VOLUME : MountType.BIND,
    source: mount.source,
    readOnly: mount.isReadOnly,
    propagation: mount.propagation,
    subpath: mount.subpath ?? "",
    recursive: mount.recursive ?? "",
    restrictions: [...(mount.restrictions ?? [])],
  });
}
