/** A value that a template works on: JSON, or a function that a row offers (`.Label "key"`). */
export type Value = unknown;

type TemplateFunction = (...given: Value[]) => Value;

/** Go's built-in functions and Docker's own. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => JSON.stringify(value) ?? "null",
  join: (items, separator) => asList(items).map(show).join(show(separator)),
  split: (text, separator) => show(text).split(show(separator)),
  upper: (text) => show(text).toUpperCase(),
  lower: (text) => show(text).toLowerCase(),
  title: (text) =>
    show(text).replaceAll(/(^|\s)(\S)/g, (_all, gap: string, first: string) => gap + first.toUpperCase()),
  pad: (text, before, after) => " ".repeat(Number(before)) + show(text) + " ".repeat(Number(after)),
  truncate: (text, most) => [...show(text)].slice(0, Number(most)).join(""),
  println: (...values) => `${values.map(show).join(" ")}\n`,
  print: (...values) => values.map(show).join(""),
  printf: (format, ...values) => printf(show(format), values),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce((inner, key) => elementOf(inner, key), value),
  slice: (value, from, to) => sliceOf(value, from, to),
  not: (value) => !isTruthy(value),
  and: (...values) => values.find((value) => !isTruthy(value)) ?? values.at(-1),
  or: (...values) => values.find(isTruthy) ?? values.at(-1),
  eq: (first, ...others) => others.some((other) => first === other),
  ne: (first, second) => first !== second,
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
};

/** As Go prints it: `[a b]`, `map[k:v]`, `<no value>`. */
export function show(value: Value): string {
  if (value === null || value === undefined) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const pairs = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `map[${pairs.map(([key, inner]) => `${key}:${show(inner)}`).join(" ")}]`;
}

/** Empty means false: zero, "", an empty list or map, null. */
export function isTruthy(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  return 0;
}

function elementOf(value: Value, key: Value): Value {
  if (Array.isArray(value)) {
    const index = Number(key);
    if (index >= 0 && index < value.length) return value[index];
    throw new RangeError(`index ${show(key)} is out of range`);
  }
  if (typeof value !== "object" || value === null) throw new RangeError(`cannot index ${show(value)}`);
  return (value as Record<string, unknown>)[show(key)] ?? "";
}

function sliceOf(value: Value, from: Value, to: Value): Value {
  const end = to === undefined ? undefined : Number(to);
  return Array.isArray(value) ? value.slice(Number(from ?? 0), end) : show(value).slice(Number(from ?? 0), end);
}

function asList(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw new RangeError(`${show(value)} is no list`);
}

function compare(first: Value, second: Value): number {
  if (typeof first === "number" && typeof second === "number") return first - second;
  const [one, other] = [show(first), show(second)];
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** The verbs that people use: %s %v %d %q %t %x %f %%, with flags, width and precision. */
function printf(format: string, values: readonly Value[]): string {
  const rest = [...values];
  return format.replaceAll(/%([-+0 ]*)(\d+)?(?:\.(\d+))?([svdqtxf%])/g, (_all, flags, width, precision, verb) => {
    if (verb === "%") return "%";
    const text = formatted(verb, rest.shift(), precision);
    if (width === undefined) return text;
    return flags.includes("-")
      ? text.padEnd(Number(width))
      : text.padStart(Number(width), flags.includes("0") ? "0" : " ");
  });
}

function formatted(verb: string, value: Value, precision: string | undefined): string {
  switch (verb) {
    case "q":
      return JSON.stringify(show(value));
    case "x":
      return typeof value === "number" ? value.toString(16) : Buffer.from(show(value)).toString("hex");
    case "f":
      return Number(value).toFixed(Number(precision ?? 6));
    default:
      return precision === undefined ? show(value) : show(value).slice(0, Number(precision));
  }
}
