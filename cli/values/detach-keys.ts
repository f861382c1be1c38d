import { invalid } from "./invalid.ts";

export const DEFAULT_DETACH_KEYS = Buffer.of(0x10, 0x11);

/** Docker's `--detach-keys`: `ctrl-p,ctrl-q`, `ctrl-]`, `a`; as the bytes that a terminal sends. DETACH_KEYS_INVALID. */
export function parseDetachKeys(given: string): Buffer {
  return Buffer.from(given.split(",").map((key) => keyByte(key, given)));
}

function keyByte(key: string, given: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const letter = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) & 0x1f;
  throw invalid("DETACH_KEYS_INVALID", given, `unknown key "${key}"`, "letters and ctrl-LETTER, as in ctrl-p,ctrl-q");
}
