import { CtlError } from "./errors.ts";
import { type FilterShape, type Filters, type LabelFilter, parseFilters } from "./filters.ts";

/** Docker's filters of every `prune`. */
export const PRUNE_FILTERS = { label: "label", "label!": "label", until: "text" } as const satisfies FilterShape;

export interface PruneCandidate {
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: nobody knows, so it is as old as can be. */
  readonly createdAt: Date | undefined;
}

/**
 * What `prune` may take by its filters: with all of `label`, without all of `label!`, made before `until`.
 * Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID.
 */
export function parsePruneFilters(
  raw: readonly { readonly key: string; readonly values: readonly string[] }[],
  shape: FilterShape,
  nowMs: number,
): (candidate: PruneCandidate) => boolean {
  const filters: Filters<typeof PRUNE_FILTERS> = parseFilters(raw, shape);
  const until = untilOf(filters.until, nowMs);
  return ({ labels, createdAt }) =>
    (filters.label === undefined || hasLabels(labels, filters.label)) &&
    (filters["label!"] === undefined || !hasLabels(labels, filters["label!"])) &&
    (until === undefined || (createdAt?.getTime() ?? 0) <= until);
}

export function hasLabels(labels: Readonly<Record<string, string>>, { keys, pairs }: LabelFilter): boolean {
  const hasKeys = keys.every((key) => Object.hasOwn(labels, key));
  return hasKeys && pairs.every((pair) => Object.entries(pair).every(([key, value]) => labels[key] === value));
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** In milliseconds since 1970: seconds since then, a duration back from now, or RFC 3339 with parts left out. */
export function untilOf(texts: readonly string[] | undefined, nowMs: number): number | undefined {
  if (texts === undefined) return undefined;
  const [text = "", another] = texts;
  if (another !== undefined) throw untilInvalid(texts.join(", "), "more than one until filter specified");
  if (/^\d+(\.\d{1,9})?$/.test(text)) return Number(text) * 1_000;
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return nowMs - durationMs(text);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw untilInvalid(text, "it is neither a time nor a duration");
  return time;
}

function durationMs(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return total;
}

function untilInvalid(text: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: `filter by until=${text.slice(0, 80)}`,
    why,
    fix: "for example until=24h, until=2026-01-31T12:00:00Z or until=1769860800",
  });
}
