import type { TestDaemon } from "./daemon.ts";

/** The standard output, without its last newline, of a `ctl` that must succeed; it throws what `ctl` said otherwise. */
export async function ok(daemon: Pick<TestDaemon, "ctl">, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await daemon.ctl(...args);
  if (exitCode === 0) return stdout.replace(/\n$/, "");
  throw new Error(`ctl ${args.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
}
