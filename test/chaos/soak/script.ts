import { appendFileSync, readFileSync } from "node:fs";

/** What one client did, or a kill (client -1, the service as its action): enough to do it again. */
export interface Line {
  /** From the start of the soak. */
  readonly atMs: number;
  readonly client: number;
  readonly slot: number;
  readonly action: string;
  /** Seeds what the action itself chooses. */
  readonly seed: number;
}

export const CHAOS = -1;

/** The record of a soak: a line of JSON for each decision and for each thing that was seen. */
export interface Script {
  decide(line: Line): void;
  note(text: string): void;
}

export function writeScript(path: string, seed: number): Script {
  const append = (entry: object) => appendFileSync(path, `${JSON.stringify(entry)}\n`);
  append({ seed, begun: new Date().toISOString() });
  return { decide: append, note: (note) => append({ note }) };
}

/** The decisions of an earlier soak, each client's in its order. */
export function readScript(path: string): Line[] {
  const entries = readFileSync(path, "utf8").trimEnd().split("\n");
  return entries.map((text) => JSON.parse(text) as Partial<Line>).filter((entry): entry is Line => "action" in entry);
}
