import { existsSync } from "node:fs";
import { join } from "node:path";
import type { OciRuntime, RuntimeKind } from "./oci-runtime.ts";
import { USUAL_RUNTIMES } from "./probe.ts";

/** The file by which each runtime knows a run of its own. */
const MARKS: Readonly<Record<RuntimeKind, string>> = { crun: "status", runc: "state.json" };

export interface Runtimes {
  /** The daemon's choice. */
  readonly runtime: OciRuntime;
  /** Those that the configuration names, each with a state directory of its own. */
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
}

/**
 * The runtime that made a run, which need not be the one that new runs are made with: a host's runtime may have been
 * chosen anew since, or the container has one of its own. Found by what lies in the state directories; nothing there: the
 * one of today.
 */
export async function runtimeOfRun({ runtime: today, runtimes }: Runtimes, name: string): Promise<OciRuntime> {
  for (const configured of runtimes.values()) {
    if (existsSync(join(configured.stateRoot, name))) return configured;
  }
  for (const kind of ["crun", "runc"] as const) {
    if (kind === today.kind || !existsSync(join(today.stateRoot, name, MARKS[kind]))) continue;
    const path = await usualPath(kind);
    // a run that waits for its release was made to be let go by the runtime's own `start`
    if (path !== undefined) return { ...today, kind, path, releasesByFifo: false };
  }
  return today;
}

/** Where this host has that runtime, if it does. */
export async function usualPath(kind: RuntimeKind): Promise<string | undefined> {
  for (const { kind: found, path } of USUAL_RUNTIMES) if (found === kind && existsSync(path)) return path;
  return undefined;
}

/** Every directory that has runs' state. */
export function stateRoots({ runtime, runtimes }: Runtimes): string[] {
  return [runtime.stateRoot, ...[...runtimes.values()].map(({ stateRoot }) => stateRoot)];
}
