import { ContainerState, HealthStatus, type ListedContainer } from "#proto/ctl/containers/v1/containers.ts";
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

export function containerRow(container: ListedContainer, now: number, isWhole: boolean): Row {
  const { id, name, path, args, spec, ports, state } = container;
  const line = [path, ...args].join(" ");
  const isRunning = state === ContainerState.RUNNING || state === ContainerState.PAUSED;
  return {
    ID: isWhole ? id : shortId(id),
    Image: spec?.image ?? "",
    Command: quoted(isWhole ? line : ellipsis(line, 20)),
    RunningFor: humanAgo(toDate(container.created), now),
    Ports: isRunning ? portsColumn(ports, exposedPorts(container)) : "",
    Status: statusText(container, now),
    Names: name,
    // what is asked for seldom is made only then: a list may have thousands
    get CreatedAt() {
      return goTime(toDate(container.created));
    },
    get State() {
      return STATE_NAMES[state] ?? "";
    },
    get Size() {
      return sizeText(container);
    },
    get Labels() {
      return Object.entries(labelsOf(container))
        .map(([key, value]) => `${key}=${value}`)
        .join(",");
    },
    Label: (key) => labelsOf(container)[key] ?? "",
    get Mounts() {
      const mounts = container.mounts.map((mount) => mount.name || mount.source);
      return mounts.map((mount) => (isWhole ? mount : ellipsis(mount, 15))).join(",");
    },
    get LocalVolumes() {
      return String(container.mounts.filter((mount) => mount.driver === "local").length);
    },
    get Networks() {
      return container.endpoints.map((endpoint) => endpoint.networkName).join(",");
    },
  };
}

function labelsOf({ imageConfig, spec }: ListedContainer): Readonly<Record<string, string>> {
  return { ...imageConfig?.labels, ...spec?.labels };
}

function exposedPorts({ imageConfig, spec }: ListedContainer): string[] {
  return [...new Set([...(imageConfig?.exposedPorts ?? []), ...(spec?.exposedPorts ?? [])])];
}

/** Docker's words: "Up 3 minutes (Paused)", "Exited (0) 5 seconds ago". */
export function statusText(container: ListedContainer, now: number): string {
  const { state, exitCode = 0 } = container;
  switch (state) {
    case ContainerState.RUNNING:
      return upText(container, now) + healthText(container);
    case ContainerState.PAUSED:
      return `${upText(container, now)} (Paused)`;
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

function upText({ started }: ListedContainer, now: number): string {
  return `Up ${humanDuration(now - toDate(started).getTime())}`;
}

function healthText({ health }: ListedContainer): string {
  const words: Readonly<Record<number, string>> = {
    [HealthStatus.STARTING]: " (health: starting)",
    [HealthStatus.HEALTHY]: " (healthy)",
    [HealthStatus.UNHEALTHY]: " (unhealthy)",
  };
  return health === undefined ? "" : (words[health.status] ?? "");
}

/** What it has written, and in brackets that and its image. */
function sizeText({ sizeRwBytes, sizeRootBytes }: ListedContainer): string {
  if (sizeRwBytes === undefined) return "";
  const written = humanSize(sizeRwBytes, 3);
  return sizeRootBytes === undefined ? written : `${written} (virtual ${humanSize(sizeRootBytes, 3)})`;
}

/** Go's strconv.Quote, as far as commands need it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
