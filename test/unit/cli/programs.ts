import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const SOURCE = join(import.meta.dirname, "../../..");
const BUN = join(SOURCE, `node_modules/@oven/bun-linux-${process.arch === "x64" ? "x64-baseline" : "aarch64"}/bin/bun`);

/** What runs ctl: both must do the same. Bun where its package is installed. */
export const RUNTIMES: readonly (readonly [name: string, program: string])[] = [
  ["Node", process.execPath],
  ...(existsSync(BUN) ? [["Bun", BUN] as const] : []),
];

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `ctl` from the source, with no surroundings but `env`. */
export function ctl(runtime: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const { promise, resolve } = Promise.withResolvers<Result>();
  const child = execFile(runtime, [join(SOURCE, "cli/main.ts"), ...args], { env }, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode ?? -1, stdout, stderr }),
  );
  return promise;
}
