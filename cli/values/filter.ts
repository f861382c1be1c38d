import { invalid } from "./invalid.ts";

export interface Filter {
  readonly key: string;
  readonly values: readonly string[];
}

/** Checks one `--filter`. FILTER_INVALID. */
export function parseFilter(given: string): string {
  const equals = given.indexOf("=");
  if (equals > 0) return given;
  throw invalid("FILTER_INVALID", given, "invalid filter: expected name=value", "for example --filter status=running");
}

/** Several values of one key are alternatives. */
export function toFilters(given: readonly string[]): { key: string; values: string[] }[] {
  const byKey = new Map<string, string[]>();
  for (const filter of given) {
    const equals = filter.indexOf("=");
    const key = filter.slice(0, equals).trim().toLowerCase();
    byKey.set(key, [...(byKey.get(key) ?? []), filter.slice(equals + 1).trim()]);
  }
  return [...byKey].map(([key, values]) => ({ key, values }));
}
