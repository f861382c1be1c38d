import { invalid } from "../invalid.ts";

const UNITS = "bkmgtp";

/** Docker's sizes in bytes: `512m`, `1.5g`, `64KiB`; units are powers of 1024, none means bytes. SIZE_INVALID. */
export function parseSize(given: string): number {
  const bytes = readSize(given);
  if (bytes !== undefined) return bytes;
  throw invalid("SIZE_INVALID", given, `invalid size: '${given}'`, "a number and a unit: 512m, 1.5g, 65536");
}

/** Undefined: it is no size. */
export function readSize(given: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgtp])?(?:i?b)?$/i.exec(given);
  if (match === null) return undefined;
  const power = UNITS.indexOf((match[2] ?? "b").toLowerCase());
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

/** Also `-1`: no limit. */
export function parseSizeOrUnlimited(given: string): number {
  return given === "-1" ? -1 : parseSize(given);
}
