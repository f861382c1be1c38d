import * as z from "zod";
import type { Filter } from "#proto/ctl/common/v1/common.ts";
import { CtlError } from "../../services/kit/errors.ts";

export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** The first value, as Go's FormValue; empty where there is none. */
export function text(query: Query, name: string): string {
  const value = query[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** All values of a name that may be given several times. */
export function texts(query: Query, name: string): string[] {
  const value = query[name];
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** Docker's truth: whatever is not empty, 0, no, false or none. */
export function flag(query: Query, name: string): boolean {
  return !["", "0", "no", "false", "none"].includes(text(query, name).trim().toLowerCase());
}

/** A whole number; undefined where none is given. Throws INVALID_ARGUMENT REQUEST_INVALID. */
export function integer(query: Query, name: string): number | undefined {
  const value = text(query, name).trim();
  if (value === "") return undefined;
  const number = Number(value);
  if (/^[+-]?\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw invalidRequest(`invalid value for ${name}: "${value}" is not a whole number`);
}

/** Docker's filters are JSON: `{"status":["running"]}`, by older clients `{"status":{"running":true}}`. */
const filtersSchema = z.record(
  z.string(),
  z.union([
    z.array(z.string()),
    z.record(z.string(), z.boolean()).transform((set) => Object.keys(set).filter((key) => set[key])),
  ]),
);

/** The filters of a request, each of them one of `known`. Throws INVALID_ARGUMENT REQUEST_INVALID in Docker's words. */
export function filters(query: Query, known: readonly string[]): Filter[] {
  const json = text(query, "filters");
  if (json === "") return [];
  const parsed = filtersSchema.safeParse(parseJson(json));
  if (!parsed.success) throw invalidRequest("invalid filter: expected a JSON object of lists of strings");
  const found = Object.entries(parsed.data).map(([key, values]) => ({ key, values }));
  for (const { key } of found) {
    if (!known.includes(key)) throw invalidRequest(`invalid filter '${key}'`);
  }
  return found.filter(({ values }) => values.length > 0);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export function invalidRequest(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "REQUEST_INVALID", what: "serve the request", why });
}
