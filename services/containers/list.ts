import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { type Filters, parseFilters } from "../kit/filters.ts";
import { type Page, pageOf } from "../kit/grpc/page.ts";
import { findContainer } from "./find.ts";
import { shownHealth } from "./health/verdict.ts";
import { type ContainerState, isUp } from "./lifecycle.ts";
import {
  createdUsOf,
  type ListedRow,
  type ListedVersion,
  listedRows,
  listedVersions,
  oldestOf,
} from "./store/listing.ts";

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
  isolation: "text",
} as const;

type ListFilters = Filters<typeof SHAPE>;

export interface ListWish {
  readonly all: boolean;
  readonly last: number;
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
}

export interface ListDeps {
  readonly db: Db;
  readonly node: string;
  /** Ports that the image or the caller tells of, from a row's summary: `80/tcp`. */
  readonly exposedPorts: (row: ListedRow) => readonly string[];
}

const UP: readonly ContainerState[] = ["running", "paused", "restarting"];
const SHOWN: readonly ContainerState[] = ["created", "exited", ...UP];

/**
 * `ps`: a page of containers, newest first. One or two queries of this service's own rows, whatever the number of containers.
 * Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID; NOT_FOUND CONTAINER_NOT_FOUND (before, since).
 */
export async function listContainers(
  wish: ListWish,
  page: Page<readonly [string, string]>,
  deps: ListDeps,
): Promise<{ items: readonly ListedVersion[]; nextPageToken: string }> {
  const filters = parseFilters(wish.filters, SHAPE);
  const { label, status, exited, before, since, ...others } = filters;
  const seesAll = wish.all || wish.last > 0 || status !== undefined || exited !== undefined;
  const isFiltered =
    Object.keys(others).length > 0 || before !== undefined || since !== undefined || exited !== undefined;
  const [createdUs, id] = page.after ?? [];
  const range = {
    states: seesAll ? (status?.filter((one) => one !== "dead") ?? SHOWN) : UP,
    label,
    after: createdUs === undefined || id === undefined ? undefined : { createdUs: Number(createdUs), id },
    limit: isFiltered || wish.last > 0 ? undefined : page.size + 1,
  };
  const listed = await listedVersions(deps.db, deps.node, range);
  const matching = isFiltered ? await matchingRows(listed, filters, deps) : listed;
  const wanted = wish.last > 0 ? matching.slice(0, wish.last) : matching;
  // asked only where another page follows: for each row it would cost as much as the rest of a list of thousands
  const ids = wanted.length > page.size ? wanted.slice(0, page.size).map((one) => one.id) : [];
  const last = await oldestOf(deps.db, ids);
  return pageOf(wanted, page, () => [String(last?.us ?? 0), last?.id ?? ""]);
}

async function matchingRows(
  listed: readonly ListedVersion[],
  filters: ListFilters,
  deps: ListDeps,
): Promise<ListedVersion[]> {
  const [before, since] = [await createdUs(deps.db, filters.before), await createdUs(deps.db, filters.since)];
  const rows = new Map(
    (
      await listedRows(
        deps.db,
        listed.map(({ id }) => id),
      )
    ).map((row) => [row.id, row]),
  );
  const inOrder = listed.flatMap(({ id }) => rows.get(id) ?? []);
  return inOrder.filter(
    (row) =>
      (before === undefined || row.created_us < before) &&
      (since === undefined || row.created_us > since) &&
      matches(row, filters, deps),
  );
}

async function createdUs(db: Db, references: readonly string[] | undefined): Promise<number | undefined> {
  const reference = references?.at(-1);
  return reference === undefined ? undefined : createdUsOf(db, (await findContainer(db, reference)).id);
}

function healthWord({ health, run, state }: ListedRow) {
  return health === null || run === 0 ? "none" : shownHealth(state, health);
}

function matches(row: ListedRow, filters: ListFilters, deps: ListDeps): boolean {
  const { id, name, ancestor, exited, health } = filters;
  if (id !== undefined && !id.some((prefix) => row.id.startsWith(prefix))) return false;
  if (name !== undefined && !name.some((pattern) => isNamed(row.name, pattern))) return false;
  if (ancestor !== undefined && !ancestor.some((image) => isMadeFrom(row, image))) return false;
  if (exited !== undefined && !exited.some((code) => isExitedWith(row, code))) return false;
  if (health !== undefined && !health.some((one) => one === healthWord(row))) return false;
  if (filters["is-task"] === true) return false;
  if (filters.isolation?.every((one) => one !== "")) return false;
  return matchesGiven(row, filters, deps);
}

/** Filters on what the container was given at its last start. */
function matchesGiven(row: ListedRow, { network, volume, publish, expose }: ListFilters, deps: ListDeps): boolean {
  const { endpoints = [], mounts = [] } = row.given ?? {};
  if (network?.every((wanted) => !endpoints.some((e) => e.networkName === wanted || e.networkId.startsWith(wanted))))
    return false;
  if (volume?.every((wanted) => !mounts.some((m) => m.name === wanted || m.mount.target === wanted))) return false;
  if (publish === undefined && expose === undefined) return true;
  return hasPort(row, publish ?? [], expose ?? [], deps);
}

/** Of the ports that it has now, one is published, or one exposed, as asked: Docker asks for either. */
function hasPort(row: ListedRow, publish: readonly string[], expose: readonly string[], deps: ListDeps): boolean {
  const published = publish.flatMap((text) => portKeys("publish", text));
  const exposed = expose.flatMap((text) => portKeys("expose", text));
  if (!isUp(row.state)) return false;
  const ports = row.given?.ports ?? [];
  if (ports.some((port) => published.includes(`${port.hostPort}/${port.protocol}`))) return true;
  const told = [...ports.map((port) => `${port.containerPort}/${port.protocol}`), ...deps.exposedPorts(row)];
  return told.some((port) => exposed.includes(port));
}

/** `80`, `80/udp` and `80-85/tcp`. */
function portKeys(filter: string, text: string): string[] {
  const [, from = "", to = from, protocol = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === "" || last < first || last > 65_535) throw badValue(filter, text);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function isExitedWith(row: ListedRow, code: string): boolean {
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

function isMadeFrom(row: ListedRow, image: string): boolean {
  const plain = image.replace(/^sha256:/, "");
  const isId = /^[0-9a-f]{4,64}$/.test(plain) && row.image_id.startsWith(`sha256:${plain}`);
  return isId || row.image === image || row.image === `${image}:latest` || `${row.image}:latest` === image;
}

function badValue(filter: string, value: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: `filter containers by ${filter}=${value}`,
    why: "that value makes no sense there",
    fix: "look at ctl ps --help",
  });
}
