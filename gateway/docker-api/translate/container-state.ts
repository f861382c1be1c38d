import { type Container, ContainerState, type Health, HealthStatus } from "#proto/ctl/containers/v1/containers.ts";
import type { Timestamp } from "#proto/google/protobuf/timestamp.ts";
import { omitEmpty } from "./go-values.ts";
import { humanDuration } from "./human-duration.ts";
import { rfc3339Nano } from "./times.ts";

const NAMES = {
  [ContainerState.UNSPECIFIED]: "created",
  [ContainerState.UNRECOGNIZED]: "created",
  [ContainerState.CREATED]: "created",
  [ContainerState.RUNNING]: "running",
  [ContainerState.PAUSED]: "paused",
  [ContainerState.RESTARTING]: "restarting",
  [ContainerState.REMOVING]: "removing",
  [ContainerState.EXITED]: "exited",
  [ContainerState.DEAD]: "dead",
} as const satisfies Record<ContainerState, string>;

export function stateName(container: Container): string {
  return NAMES[container.state];
}

/** A paused or restarting container counts as running, as in Docker. */
export function isRunning(container: Container): boolean {
  return (
    container.state === ContainerState.RUNNING ||
    container.state === ContainerState.PAUSED ||
    container.state === ContainerState.RESTARTING
  );
}

/** What Docker tells of a start that failed before there was a process. */
const NEVER_STARTED = 128;

/** `State` of a container's inspection. */
export function inspectedState(container: Container) {
  return {
    Status: stateName(container),
    Running: isRunning(container),
    Paused: container.state === ContainerState.PAUSED,
    Restarting: container.state === ContainerState.RESTARTING,
    OOMKilled: container.oomKilled,
    Dead: container.state === ContainerState.DEAD,
    Pid: container.pid,
    ExitCode: container.exitCode ?? (container.error === "" ? 0 : NEVER_STARTED),
    Error: container.error,
    StartedAt: rfc3339Nano(container.started),
    FinishedAt: rfc3339Nano(container.finished),
    // ours, and not in Docker's
    ...(container.peakMemoryBytes === undefined ? {} : { PeakMemory: container.peakMemoryBytes }),
    ...(container.health === undefined ? {} : { Health: inspectedHealth(container.health) }),
  };
}

const HEALTH_NAMES = {
  [HealthStatus.UNSPECIFIED]: "none",
  [HealthStatus.UNRECOGNIZED]: "none",
  [HealthStatus.STARTING]: "starting",
  [HealthStatus.HEALTHY]: "healthy",
  [HealthStatus.UNHEALTHY]: "unhealthy",
} as const satisfies Record<HealthStatus, string>;

/** `State.Health`; what ill health led to is ours, and not in Docker's. */
function inspectedHealth({ status, failingStreak, log, consequence }: Health) {
  return {
    Status: HEALTH_NAMES[status],
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: rfc3339Nano(start),
      End: rfc3339Nano(end),
      ExitCode: exitCode,
      Output: output,
    })),
    ...omitEmpty("Consequence", consequence),
  };
}

/** `Health` of a container in a list, since 1.52. */
export function summarizedHealth(health: Health | undefined) {
  const { status, failingStreak } = health ?? { status: HealthStatus.UNSPECIFIED, failingStreak: 0 };
  return { Status: HEALTH_NAMES[status], FailingStreak: failingStreak };
}

function healthText(health: Health | undefined): string {
  if (health === undefined) return "";
  const name = HEALTH_NAMES[health.status];
  return name === "starting" ? " (health: starting)" : ` (${name})`;
}

/** `Status` of a container in a list: "Up 3 minutes", "Exited (0) 2 hours ago". */
export function statusText(container: Container, nowMs: number): string {
  const since = (time: Timestamp | undefined) => humanDuration(nowMs - millisecondsOf(time));
  const exitCode = container.exitCode ?? 0;
  switch (container.state) {
    case ContainerState.RUNNING:
      return `Up ${since(container.started)}${healthText(container.health)}`;
    case ContainerState.PAUSED:
      return `Up ${since(container.started)} (Paused)`;
    case ContainerState.RESTARTING:
      return `Restarting (${exitCode}) ${since(container.finished)} ago`;
    case ContainerState.REMOVING:
      return "Removal In Progress";
    case ContainerState.DEAD:
      return "Dead";
    case ContainerState.EXITED:
      return container.finished === undefined ? "Created" : `Exited (${exitCode}) ${since(container.finished)} ago`;
    case ContainerState.CREATED:
    case ContainerState.UNSPECIFIED:
    case ContainerState.UNRECOGNIZED:
      return "Created";
    default:
      return container.state satisfies never;
  }
}

function millisecondsOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : time.seconds * 1_000 + time.nanos / 1e6;
}
