import { invalidRequest } from "./query.ts";

/** Docker's own: ctrl-p, then ctrl-q. */
const DEFAULT_KEYS = "ctrl-p,ctrl-q";

/** `ctrl-p,ctrl-q` or `a,b` as the bytes that a terminal sends. Throws INVALID_ARGUMENT REQUEST_INVALID. */
export function parseDetachKeys(text: string): Buffer {
  const keys = (text === "" ? DEFAULT_KEYS : text).split(",");
  return Buffer.from(keys.map((key) => byteOf(key, text)));
}

function byteOf(key: string, text: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
  if (control === undefined) throw invalidRequest(`invalid detach keys (${text}) provided`);
  return control.toUpperCase().charCodeAt(0) & 0x1f;
}

export interface Typed {
  /** What goes on to the container. */
  readonly data: Buffer;
  readonly isDetached: boolean;
}

/** Looks for the keys in what is typed. A beginning of them is held back until it is known whether the rest follows. */
export function detachFilter(keys: Buffer): (chunk: Buffer) => Typed {
  let matched = 0;
  return (chunk) => {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched++;
        if (matched === keys.length) return { data: Buffer.from(passed), isDetached: true };
        continue;
      }
      passed.push(...keys.subarray(0, matched));
      matched = byte === keys[0] ? 1 : 0;
      if (matched === 0) passed.push(byte);
    }
    return { data: Buffer.from(passed), isDetached: false };
  };
}
