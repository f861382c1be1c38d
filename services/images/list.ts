import type { Db } from "../kit/database.ts";
import { type Filters, parseFilters } from "../kit/filters.ts";
import { untilOf } from "../kit/prune-filters.ts";
import { findImage } from "./find.ts";
import { familiarReference, parseReference } from "./reference.ts";
import { allImages, type ImageRow } from "./store/images.ts";

const SHAPE = {
  dangling: "boolean",
  label: "label",
  reference: "text",
  before: "text",
  since: "text",
  until: "text",
} as const;

/** Images, newest first, as Docker's filters want them. Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID. */
export async function listImages(
  db: Db,
  raw: readonly { readonly key: string; readonly values: readonly string[] }[],
): Promise<ImageRow[]> {
  const filters = parseFilters(raw, SHAPE);
  const [before, since, until] = [
    await createdOf(db, filters.before),
    await createdOf(db, filters.since),
    untilOf(filters.until, Date.now()),
  ];
  const found = (await allImages(db)).filter((row) => {
    const created = row.created_at?.getTime() ?? 0;
    if (before !== undefined && created >= before) return false;
    if (since !== undefined && created <= since) return false;
    if (until !== undefined && created >= until) return false;
    return matches(row, filters);
  });
  const { reference: patterns } = filters;
  if (patterns === undefined) return found;
  // an image is listed by those of its names that were asked for
  return found.map((row) => ({ ...row, tags: row.tags.filter((tag) => matchesAny(tag, patterns)) }));
}

async function createdOf(db: Db, references: readonly string[] | undefined): Promise<number | undefined> {
  const reference = references?.at(-1);
  if (reference === undefined) return undefined;
  return (await findImage(db, reference)).row.created_at?.getTime() ?? 0;
}

function matches(row: ImageRow, filters: Filters<typeof SHAPE>): boolean {
  if (filters.dangling !== undefined && filters.dangling !== (row.tags.length === 0)) return false;
  if (filters.label !== undefined && !hasLabels(row.config.labels, filters.label)) return false;
  const patterns = filters.reference;
  return patterns === undefined || row.tags.some((tag) => matchesAny(tag, patterns));
}

function matchesAny(tag: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesReference(tag, pattern));
}

function hasLabels(
  labels: Readonly<Record<string, string>>,
  filter: NonNullable<Filters<typeof SHAPE>["label"]>,
): boolean {
  const hasKeys = filter.keys.every((key) => key in labels);
  return hasKeys && filter.pairs.every((pair) => Object.entries(pair).every(([key, value]) => labels[key] === value));
}

/** Docker's `reference=PATTERN`: a glob over the familiar name, with or without the tag. */
function matchesReference(fullName: string, pattern: string): boolean {
  const familiar = familiarReference(parseReference(fullName));
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  const glob = new RegExp(`^${source}$`);
  return glob.test(familiar) || glob.test(familiar.slice(0, familiar.lastIndexOf(":")));
}
