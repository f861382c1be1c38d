export interface Verdict {
  readonly isWithin: boolean;
  /** What a script reads: `NAME ratio=0.23 limit=0.40 ok`. */
  readonly line: string;
}

/** The ratio as it is printed decides, so that the line never contradicts itself. */
export function verdict(name: string, ratio: number, limit: number): Verdict {
  const isWithin = Number(ratio.toFixed(2)) <= limit;
  return { isWithin, line: `${name} ratio=${ratio.toFixed(2)} limit=${limit.toFixed(2)} ${isWithin ? "ok" : "over"}` };
}
