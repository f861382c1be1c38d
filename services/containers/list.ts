import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { type Filters, parseFilters } from "../kit/filters.ts";
import { findContainer } from "./find.ts";
import { shownHealth } from "./health/verdict.ts";
import { allContainers, type ContainerRow, upContainers } from "./store/containers.ts";
import { healthOf, type RecordedHealth } from "./store/health.ts";

/** Docker's states as `--filter status=` spells them. */
const STATES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"] as const;

const SHAPE = {
  id: "text",
  name: "pattern",
  label: "label",
  status: STATES,
  ancestor: "text",
  exited: "text",
  health: ["starting", "healthy", "unhealthy", "none"],
  network: "text",
  volume: "text",
  publish: "text",
  expose: "text",
  before: "text",
  since: "text",
  "is-task": "boolean",
} as const;

type ListFilters = Filters<typeof SHAPE>;

export interface ListedContainer {
  readonly row: ContainerRow;
  /** Undefined: it has no health check. */
  readonly health: RecordedHealth | undefined;
}

export interface ListWish {
  readonly all: boolean;
  readonly last: number;
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
}

/**
 * `ps`: containers, newest first. One query of this service's own rows, whatever the number of containers.
 * Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID; NOT_FOUND CONTAINER_NOT_FOUND (before, since).
 */
export async function listContainers(db: Db, node: string, wish: ListWish): Promise<ListedContainer[]> {
  const filters = parseFilters(wish.filters, SHAPE);
  const seesAll = wish.all || wish.last > 0 || filters.status !== undefined || filters.exited !== undefined;
  const rows = (seesAll ? await allContainers(db, node) : await upContainers(db, node)).filter(
    (row) => row.state !== "removing" || filters.status?.includes("removing") === true,
  );
  const [before, since] = [await positionOf(db, filters.before), await positionOf(db, filters.since)];
  const health = await healthOf(
    db,
    rows.flatMap((row) => (row.spec.healthcheck === undefined ? [] : [row.id])),
  );
  const matching = rows
    .filter(
      (row) =>
        (before === undefined || row.created_at < before) &&
        (since === undefined || row.created_at > since) &&
        matches(row, filters, health.get(row.id)),
    )
    .map((row) => ({ row, health: health.get(row.id) }));
  return wish.last > 0 ? matching.slice(0, wish.last) : matching;
}

async function positionOf(db: Db, references: readonly string[] | undefined): Promise<Date | undefined> {
  const reference = references?.at(-1);
  return reference === undefined ? undefined : (await findContainer(db, reference)).created_at;
}

function healthWord(row: ContainerRow, known: RecordedHealth | undefined) {
  return known === undefined || row.run === 0 ? "none" : shownHealth(row.state, known.status);
}

function matches(row: ContainerRow, filters: ListFilters, known: RecordedHealth | undefined): boolean {
  const { id, name, label, status, ancestor, exited, health, publish } = filters;
  if (id !== undefined && !id.some((prefix) => row.id.startsWith(prefix))) return false;
  if (name !== undefined && !name.some((pattern) => isNamed(row.name, pattern))) return false;
  if (label !== undefined && !hasLabels(row.labels, label)) return false;
  if (status !== undefined && !status.some((state) => state === row.state)) return false;
  if (ancestor !== undefined && !ancestor.some((image) => isMadeFrom(row, image))) return false;
  if (exited !== undefined && !exited.some((code) => isExitedWith(row, code))) return false;
  if (health !== undefined && !health.some((one) => one === healthWord(row, known))) return false;
  if (filters["is-task"] === true) return false;
  return matchesGiven(row, filters, publish);
}

/** Filters on what the container was given at its last start. */
function matchesGiven(
  row: ContainerRow,
  { network, volume, expose }: ListFilters,
  publish: ListFilters["publish"],
): boolean {
  if (network === undefined && volume === undefined && publish === undefined && expose === undefined) return true;
  const { endpoints = [], mounts = [], ports = [] } = row.given ?? {};
  if (network?.every((wanted) => !endpoints.some((e) => e.networkName === wanted || e.networkId.startsWith(wanted))))
    return false;
  if (volume?.every((wanted) => !mounts.some((m) => m.name === wanted || m.mount.target === wanted))) return false;
  const numbers = ports.map((port) => ({ ...port, key: `${port.hostPort}/${port.protocol}` }));
  if (publish?.every((wanted) => !numbers.some((port) => port.key === portKey(wanted)))) return false;
  return expose?.every((wanted) => !ports.some((p) => `${p.containerPort}/${p.protocol}` === portKey(wanted))) !== true;
}

function portKey(text: string): string {
  if (!/^\d{1,5}(\/(tcp|udp|sctp))?$/.test(text)) throw badValue("publish", text);
  return text.includes("/") ? text : `${text}/tcp`;
}

function isExitedWith(row: ContainerRow, code: string): boolean {
  if (!/^\d{1,3}$/.test(code)) throw badValue("exited", code);
  return row.state === "exited" && row.exit_code === Number(code);
}

/** Docker's `name` is a regular expression, and the name that it is matched against may have its slash. */
function isNamed(name: string, pattern: string): boolean {
  try {
    const expression = new RegExp(pattern);
    return expression.test(name) || expression.test(`/${name}`);
  } catch {
    throw badValue("name", pattern);
  }
}

function isMadeFrom(row: ContainerRow, image: string): boolean {
  const plain = image.replace(/^sha256:/, "");
  const isId = /^[0-9a-f]{4,64}$/.test(plain) && row.image_id.startsWith(`sha256:${plain}`);
  return isId || row.image === image || row.image === `${image}:latest` || `${row.image}:latest` === image;
}

function hasLabels(labels: Readonly<Record<string, string>>, filter: NonNullable<ListFilters["label"]>): boolean {
  const hasKeys = filter.keys.every((key) => key in labels);
  return hasKeys && filter.pairs.every((pair) => Object.entries(pair).every(([key, value]) => labels[key] === value));
}

function badValue(filter: string, value: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: `filter containers by ${filter}=${value}`,
    why: "that value makes no sense there",
    fix: "look at ctl ps --help",
  });
}
