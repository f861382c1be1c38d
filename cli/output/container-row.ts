import { type Container, ContainerState, HealthStatus } from "#proto/ctl/containers/v1/containers.ts";
import { ellipsis, goTime, humanAgo, humanDuration, humanSize, shortId } from "./human.ts";
import { portsColumn } from "./ports.ts";
import type { Row, RowShape } from "./rows.ts";
import { toDate } from "./time.ts";

const HEADINGS = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Names: "NAMES",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
};

const STATE_NAMES: Readonly<Record<number, string>> = {
  [ContainerState.CREATED]: "created",
  [ContainerState.RUNNING]: "running",
  [ContainerState.PAUSED]: "paused",
  [ContainerState.RESTARTING]: "restarting",
  [ContainerState.REMOVING]: "removing",
  [ContainerState.EXITED]: "exited",
  [ContainerState.DEAD]: "dead",
};

/** `docker ps`: its fields, and the columns of its table. */
export function containerShape(withSize: boolean): RowShape {
  const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
  return { headings: HEADINGS, columns: withSize ? [...columns, "Size"] : columns };
}

export function containerRow(container: Container, now: number, isWhole: boolean): Row {
  const { id, name, path, args, spec, ports, state } = container;
  const labels = { ...container.imageConfig?.labels, ...spec?.labels };
  const line = [path, ...args].join(" ");
  const mounts = container.mounts.map((mount) => mount.name || mount.source);
  const isRunning = state === ContainerState.RUNNING || state === ContainerState.PAUSED;
  return {
    ID: isWhole ? id : shortId(id),
    Image: spec?.image ?? "",
    Command: quoted(isWhole ? line : ellipsis(line, 20)),
    // asked for seldom, and the first local time costs the loading of the zone
    get CreatedAt() {
      return goTime(toDate(container.created));
    },
    RunningFor: humanAgo(toDate(container.created), now),
    Ports: isRunning ? portsColumn(ports, exposedPorts(container)) : "",
    State: STATE_NAMES[state] ?? "",
    Status: statusText(container, now),
    Size: sizeText(container),
    Names: name,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key) => labels[key] ?? "",
    Mounts: mounts.map((mount) => (isWhole ? mount : ellipsis(mount, 15))).join(","),
    LocalVolumes: String(container.mounts.filter((mount) => mount.driver === "local").length),
    Networks: container.endpoints.map((endpoint) => endpoint.networkName).join(","),
  };
}

function exposedPorts({ imageConfig, spec }: Container): string[] {
  return [...new Set([...(imageConfig?.exposedPorts ?? []), ...(spec?.exposedPorts ?? [])])];
}

/** Docker's words: "Up 3 minutes (Paused)", "Exited (0) 5 seconds ago". */
export function statusText(container: Container, now: number): string {
  const { state, exitCode = 0 } = container;
  const up = `Up ${humanDuration(now - toDate(container.started).getTime())}`;
  switch (state) {
    case ContainerState.RUNNING:
      return up + healthText(container);
    case ContainerState.PAUSED:
      return `${up} (Paused)`;
    case ContainerState.RESTARTING:
      return `Restarting (${exitCode}) ${humanAgo(toDate(container.finished), now)}`;
    case ContainerState.REMOVING:
      return "Removal In Progress";
    case ContainerState.DEAD:
      return "Dead";
    case ContainerState.EXITED:
      return `Exited (${exitCode}) ${humanAgo(toDate(container.finished), now)}`;
    default:
      return "Created";
  }
}

function healthText({ health }: Container): string {
  const words: Readonly<Record<number, string>> = {
    [HealthStatus.STARTING]: " (health: starting)",
    [HealthStatus.HEALTHY]: " (healthy)",
    [HealthStatus.UNHEALTHY]: " (unhealthy)",
  };
  return health === undefined ? "" : (words[health.status] ?? "");
}

function sizeText({ sizeRwBytes }: Container): string {
  return sizeRwBytes === undefined ? "" : humanSize(sizeRwBytes, 3);
}

/** Go's strconv.Quote, as far as commands need it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
