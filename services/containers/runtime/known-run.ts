import { access } from "node:fs/promises";
import { join } from "node:path";
import type { OciRuntime, RuntimeKind } from "./oci-runtime.ts";
import { USUAL_RUNTIMES } from "./probe.ts";

/** The file by which each runtime knows a run of its own. */
const MARKS: Readonly<Record<RuntimeKind, string>> = { crun: "status", runc: "state.json" };

/**
 * The runtime that made a run, which need not be the one that new runs are made with: a host's runtime may have been
 * chosen anew since. Found by what lies in the state directory; nothing there: the one of today.
 */
export async function runtimeOfRun(today: OciRuntime, name: string): Promise<OciRuntime> {
  for (const kind of ["crun", "runc"] as const) {
    if (kind === today.kind || !(await exists(join(today.stateRoot, name, MARKS[kind])))) continue;
    const path = await firstThatExists(
      USUAL_RUNTIMES.filter((candidate) => candidate.kind === kind).map((c) => c.path),
    );
    if (path !== undefined) return { ...today, kind, path };
  }
  return today;
}

async function firstThatExists(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
