import { invalid } from "./invalid.ts";

/** Docker's `--tail`: a number of lines, or `all` (undefined). TAIL_INVALID. */
export function parseTail(given: string): number | undefined {
  if (given === "all" || /^-\d+$/.test(given)) return undefined;
  if (/^\d+$/.test(given)) return Number(given);
  throw invalid("TAIL_INVALID", given, `"${given}" is no number of lines`, 'a whole number, or "all"');
}
