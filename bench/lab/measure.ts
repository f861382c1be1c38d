import { spawn } from "node:child_process";

export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface Measurement {
  readonly name: string;
  readonly samplesMs: readonly number[];
}

/**
 * Times each contender `rounds` times, from the start of its program to its end, after two rounds that do not count.
 * Within a round they take turns in going first, so that what one leaves behind (warm caches, work in the background)
 * and the machine's moods fall on all of them alike. Throws when a program fails.
 */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  signal: AbortSignal,
): Promise<Measurement[]> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round++) {
    const order = round % 2 === 0 ? contenders : [...contenders].reverse();
    for (const contender of order) {
      const elapsedMs = await timeOnce(contender, signal);
      if (round >= 0) samples.get(contender.name)?.push(elapsedMs);
    }
  }
  return contenders.map(({ name }) => ({ name, samplesMs: samples.get(name) ?? [] }));
}

/** Milliseconds from its start to its end. */
export async function timeOnce({ name, program, args, env }: Contender, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const before = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"], signal });
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let elapsedMs = 0;
  child.once("error", reject);
  child.once("exit", () => {
    elapsedMs = performance.now() - before;
  });
  child.once("close", (code) => resolve(code ?? -1));
  const exitCode = await promise;
  if (exitCode === 0) return elapsedMs;
  throw new Error(`${name}: ${program} ${args.join(" ")} ended with ${exitCode}: ${Buffer.concat(errors)}`);
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The sample below which this share of them lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** `docker   median 247.1 ms, 231.0 to 298.4 (middle half 240.2 to 255.9), 20 times` */
export function describe({ name, samplesMs }: Measurement): string {
  const at = (share: number) => quantile(samplesMs, share).toFixed(1);
  return (
    `${name.padEnd(8)} median ${median(samplesMs).toFixed(1)} ms, ${at(0)} to ${at(1)} ` +
    `(middle half ${at(0.25)} to ${at(0.75)}), ${samplesMs.length} times`
  );
}

/** Of the first contender's median to the second's. */
export function ratioOfMedians(measurements: readonly Measurement[], name: string, other: string): number {
  const of = (wanted: string) => median(measurements.find((one) => one.name === wanted)?.samplesMs ?? []);
  return of(name) / of(other);
}
