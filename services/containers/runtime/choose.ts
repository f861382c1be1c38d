import { CtlError } from "../../kit/errors.ts";
import { type Runtimes, usualPath } from "./known-run.ts";
import type { OciRuntime } from "./oci-runtime.ts";

/**
 * The runtime of that name: `crun` and `runc` where the host has them, one that the configuration names, and for an empty
 * name the daemon's. Throws INVALID_ARGUMENT RUNTIME_UNKNOWN.
 */
export async function runtimeNamed(name: string, { runtime, runtimes }: Runtimes): Promise<OciRuntime> {
  if (name === "") return runtime;
  const configured = runtimes.get(name);
  if (configured !== undefined) return configured;
  if (name === runtime.kind) return runtime;
  const path = name === "crun" || name === "runc" ? await usualPath(name) : undefined;
  if (path !== undefined && (name === "crun" || name === "runc")) {
    // never probed here, so let go by its own `start`
    return { ...runtime, kind: name, path, version: "unknown", releasesByFifo: false };
  }
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "RUNTIME_UNKNOWN",
    what: `run a container with the runtime "${name}"`,
    why: `unknown or invalid runtime name: ${name}`,
    fix: `use one of ${["crun", "runc", ...runtimes.keys()].join(", ")}, or name it under runtimes: in ctl.yaml`,
  });
}
