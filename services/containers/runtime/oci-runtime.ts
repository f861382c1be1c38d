import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Program, Programs } from "./programs.ts";
import { runtimeError } from "./runtime-errors.ts";

/** An OCI runtime as it is on this host, see the probe. */
export interface OciRuntime {
  readonly kind: RuntimeKind;
  readonly path: string;
  readonly version: string;
  /** Where it keeps the state of its containers: below /run, gone after a reboot. */
  readonly stateRoot: string;
  /** Whether a created container is let go by its FIFO (proven by the probe) and not by the runtime's `start`. */
  readonly releasesByFifo: boolean;
}

export type RuntimeKind = "crun" | "runc";

/** The runtime's own name for one run of a container. */
export function runtimeId(containerId: string, run: number): string {
  return `${containerId}.${run}`;
}

/** Where crun leaves a run's seccomp program; runc leaves none. */
export function compiledFilterPath(runtime: OciRuntime, id: string): string {
  return join(runtime.stateRoot, id, "seccomp.bpf");
}

/** Its call of a subcommand. */
export function runtimeCommand(runtime: OciRuntime, args: readonly string[]): Program {
  return { path: runtime.path, args: ["--root", runtime.stateRoot, ...args] };
}

/**
 * Removes a run from the runtime: its state and its cgroups. With `force` a process that is still there is killed.
 * Idempotent: false when the runtime does not know it. 4 ms. Throws as `runtimeError` says.
 */
export async function deleteRun(
  { programs, runtime }: { programs: Programs; runtime: OciRuntime },
  id: string,
  options: { force: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const args = ["delete", ...(options.force ? ["--force"] : []), id];
  const { exitCode, output } = await programs.run(runtimeCommand(runtime, args), signal);
  if (exitCode === 0) return true;
  if (isUnknown(output)) {
    // a runtime that was killed in `create` leaves a directory in which its own delete finds nothing
    await rm(join(runtime.stateRoot, id), { recursive: true, force: true });
    return false;
  }
  throw runtimeError(output, "remove a container from the runtime");
}

function isUnknown(output: string): boolean {
  return /does not exist|No such file or directory|not exist/i.test(output);
}
