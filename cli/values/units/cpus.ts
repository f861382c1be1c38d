import { invalid } from "../invalid.ts";

/** Docker's `--cpus`: `1.5` as billionths of a CPU. CPUS_INVALID. */
export function parseCpus(given: string): number {
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(given)) {
    throw invalid("CPUS_INVALID", given, `failed to parse ${given} as a rational number`, "a number of CPUs: 0.5, 2");
  }
  return Math.round(Number(given) * 1e9);
}
