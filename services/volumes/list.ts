import { CtlError } from "../kit/errors.ts";
import type { FilterShape, Filters } from "../kit/filters.ts";
import { type Page, pageOf } from "../kit/grpc/page.ts";
import type { Deps } from "./deps.ts";
import { listVolumes } from "./store.ts";
import type { Volume } from "./volume.ts";

export const VOLUME_FILTERS = {
  dangling: "boolean",
  driver: "text",
  label: "label",
  name: "pattern",
} as const satisfies FilterShape;

/** The volumes of this node by name. Throws INVALID_ARGUMENT FILTER_VALUE_INVALID. */
export async function list(
  filters: Filters<typeof VOLUME_FILTERS>,
  page: Page<readonly [string]>,
  { db, node }: Pick<Deps, "db" | "node">,
): Promise<{ items: readonly Volume[]; nextPageToken: string }> {
  const range = { after: page.after?.[0] ?? "", limit: page.size + 1 };
  try {
    return pageOf(await listVolumes(db, node, filters, range), page, (volume) => [volume.name]);
  } catch (error) {
    throw patternRefused(error);
  }
}

/** Postgres reads nearly the regular expressions that JavaScript does; the rest it refuses (2201B). */
function patternRefused(error: unknown): unknown {
  if (!(error instanceof Error && "code" in error && error.code === "2201B")) return error;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: "filter volumes by name",
    why: error.message,
    fix: "write a simpler regular expression",
    cause: error,
  });
}
