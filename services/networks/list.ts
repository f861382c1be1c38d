import { CtlError } from "../kit/errors.ts";
import type { FilterShape, Filters } from "../kit/filters.ts";
import { type Page, pageOf } from "../kit/grpc/page.ts";
import type { Deps } from "./deps.ts";
import { type Inspected, withEndpoints } from "./inspect.ts";
import { listNetworks, type NetworkConditions } from "./store/networks.ts";

export const NETWORK_FILTERS = {
  dangling: "boolean",
  driver: "text",
  id: "text",
  label: "label",
  name: "pattern",
  scope: ["local", "global", "swarm"],
  type: ["builtin", "custom"],
} as const satisfies FilterShape;

type NetworkFilters = Filters<typeof NETWORK_FILTERS>;

/** The networks of this node by name. Throws INVALID_ARGUMENT FILTER_VALUE_INVALID. */
export async function list(
  filters: NetworkFilters,
  page: Page<readonly [string]>,
  deps: Pick<Deps, "db" | "node">,
): Promise<{ items: readonly Inspected[]; nextPageToken: string }> {
  if (filters.scope !== undefined && !filters.scope.includes("local")) return { items: [], nextPageToken: "" };
  const range = { after: page.after?.[0] ?? "", limit: page.size + 1 };
  try {
    const networks = await listNetworks(deps.db, deps.node, conditionsOf(filters), range);
    const { items, nextPageToken } = pageOf(networks, page, ({ name }) => [name]);
    return { items: await withEndpoints(items, deps), nextPageToken };
  } catch (error) {
    throw patternRefused(error);
  }
}

function conditionsOf({ type, scope: _scope, driver, ...same }: NetworkFilters): NetworkConditions {
  const types = new Set(type ?? []);
  return {
    ...same,
    ...(types.size === 1 ? { isBuiltIn: types.has("builtin") } : {}),
    ...(driver === undefined ? {} : { driver: driver.map((name) => (name === "null" ? "none" : name)) }),
  };
}

/** Postgres reads nearly the regular expressions that JavaScript does; the rest it refuses (2201B). */
function patternRefused(error: unknown): unknown {
  if (!(error instanceof Error && "code" in error && error.code === "2201B")) return error;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: "filter networks by name",
    why: error.message,
    fix: "write a simpler regular expression",
    cause: error,
  });
}
