import { CtlError } from "./errors.ts";

/**
 * What a filter's values may be: `boolean` as Docker spells it (1, 0, true, false …), exact `text`, a regular
 * expression (`pattern`: Docker's `name`), `label` (`key` or `key=value`), or one of the listed words.
 */
export type FilterKind = "boolean" | "text" | "pattern" | "label" | readonly string[];

export type FilterShape = Readonly<Record<string, FilterKind>>;

/** Conditions on labels; unlike the values of any other filter Docker wants all of them. */
export interface LabelFilter {
  readonly keys: readonly string[];
  /** Each has one entry: the same key twice with two values matches nothing. */
  readonly pairs: readonly Readonly<Record<string, string>>[];
}

type FilterValue<K> = K extends "boolean"
  ? boolean
  : K extends "label"
    ? LabelFilter
    : K extends readonly (infer Word)[]
      ? readonly Word[]
      : readonly string[];

/** A key that was not given is missing; several texts, patterns or words are alternatives. */
export type Filters<S extends FilterShape> = { readonly [K in keyof S]?: FilterValue<S[K]> };

interface RawFilter {
  readonly key: string;
  readonly values: readonly string[];
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "true", "TRUE", "True"].map((word) => [word, true])),
  ...Object.fromEntries(["0", "f", "F", "false", "FALSE", "False"].map((word) => [word, false])),
};

/**
 * Docker's `--filter`s as narrow types. Patterns are meant for Postgres's `~`, which reads what Docker's users write.
 * Throws INVALID_ARGUMENT FILTER_UNKNOWN naming those that exist, and FILTER_VALUE_INVALID.
 */
export function parseFilters<const S extends FilterShape>(filters: readonly RawFilter[], shape: S): Filters<S> {
  const values = new Map<string, string[]>();
  for (const filter of filters) {
    if (!Object.hasOwn(shape, filter.key)) throw filterUnknown(filter.key, Object.keys(shape));
    values.set(filter.key, [...(values.get(filter.key) ?? []), ...filter.values]);
  }
  const parsed: Record<string, unknown> = {};
  for (const [key, texts] of values) {
    const kind = shape[key];
    if (kind !== undefined && texts.length > 0) parsed[key] = parseValues(key, texts, kind);
  }
  return parsed as Filters<S>;
}

function parseValues(key: string, texts: readonly string[], kind: FilterKind): unknown {
  switch (kind) {
    case "boolean":
      return parseBoolean(key, texts);
    case "label":
      return parseLabels(texts);
    case "text":
      return texts;
    case "pattern":
      return texts.map((text) => checkPattern(key, text));
    default:
      return texts.map((text) => checkWord(key, text, kind));
  }
}

function parseBoolean(key: string, texts: readonly string[]): boolean {
  const values = new Set(texts.map((text) => (Object.hasOwn(BOOLEANS, text) ? BOOLEANS[text] : undefined)));
  const [value] = values;
  if (values.size === 1 && value !== undefined) return value;
  throw filterValueInvalid(key, texts.join(", "), "it is one of true and false");
}

function parseLabels(texts: readonly string[]): LabelFilter {
  const keys: string[] = [];
  const pairs: Record<string, string>[] = [];
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 0) keys.push(text);
    else pairs.push({ [text.slice(0, at)]: text.slice(at + 1) });
  }
  return { keys, pairs };
}

function checkPattern(key: string, text: string): string {
  try {
    new RegExp(text);
    return text;
  } catch {
    throw filterValueInvalid(key, text, "it is a regular expression");
  }
}

function checkWord(key: string, text: string, words: readonly string[]): string {
  if (words.includes(text)) return text;
  throw filterValueInvalid(key, text, `it is one of ${words.join(", ")}`);
}

function filterUnknown(key: string, known: readonly string[]): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_UNKNOWN",
    what: `filter by "${key}"`,
    why: "there is no such filter here",
    fix: `use ${known.join(", ")}`,
  });
}

function filterValueInvalid(key: string, text: string, allowed: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_VALUE_INVALID",
    what: `filter by ${key}=${text}`,
    why: "the value is not one of this filter's",
    fix: allowed,
  });
}
