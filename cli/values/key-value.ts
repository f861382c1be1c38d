import { invalid } from "./invalid.ts";

/** `key=value` pairs as a map, the last one of a key counting; `key` alone has an empty value. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** Checks that it is `key=value`, and leaves it as it is. KEY_VALUE_INVALID. */
export function parseKeyValue(given: string): string {
  if (/^[^=]+=/.test(given)) return given;
  throw invalid("KEY_VALUE_INVALID", given, `"${given}" is no key=value`);
}

/** Docker's `--label`: `key` or `key=value`. LABEL_INVALID. */
export function parseLabel(given: string): string {
  if (given !== "" && !given.startsWith("=")) return given;
  throw invalid("LABEL_INVALID", given, `invalid label "${given}": the key is empty`, "KEY or KEY=VALUE");
}
