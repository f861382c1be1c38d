import type { Verdict } from "./verdict.ts";

export interface BenchOptions {
  /** Also time Podman; it is shown and decides nothing. */
  readonly withPodman: boolean;
}

/** What bench/NAME.ts exports as `bench`: explains itself on the standard output, and answers with its verdicts. */
export type Bench = (options: BenchOptions, signal: AbortSignal) => Promise<readonly Verdict[]>;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
