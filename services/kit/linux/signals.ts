import { constants } from "node:os";

const NUMBERS = new Map<string, number>(Object.entries(constants.signals));
const HIGHEST = 64;
const REALTIME_MIN = 34;

/**
 * A signal's number by `TERM`, `SIGTERM`, `15` or `RTMIN+3`, in any case; undefined when there is none of that name.
 * RTMIN is 34, as glibc has it (it keeps two for itself).
 */
export function signalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) return inRange(Number(name));
  const plain = name.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(plain);
  if (realtime === null) return NUMBERS.get(`SIG${plain}`);
  const base = realtime[1] === "MIN" ? REALTIME_MIN : HIGHEST;
  return inRange(base + Number(`${realtime[2] ?? "+"}${realtime[3] ?? 0}`));
}

function inRange(number: number): number | undefined {
  return number >= 1 && number <= HIGHEST ? number : undefined;
}
