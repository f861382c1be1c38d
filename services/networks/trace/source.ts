import { isIP } from "node:net";
import { CtlError } from "../../kit/errors.ts";
import type { Deps } from "../deps.ts";
import type { Holding } from "../holding.ts";
import { sandboxOf } from "../host/bring-up.ts";

/** Where a connection begins. */
export type Source =
  | { readonly kind: "container"; readonly holding: Holding; readonly netnsPath: string }
  | { readonly kind: "host" }
  | { readonly kind: "outside"; readonly address: string };

/** Throws NOT_FOUND CONTAINER_NOT_FOUND; FAILED_PRECONDITION CONTAINER_NOT_RUNNING; INVALID_ARGUMENT CONTAINER_AMBIGUOUS. */
export function parseSource(ref: string, holdings: readonly Holding[], deps: Pick<Deps, "netnsDirectory">): Source {
  if (ref === "host") return { kind: "host" };
  if (isIP(ref) !== 0) return { kind: "outside", address: ref };
  const holding = findContainer(ref, holdings);
  if (holding === undefined) throw notFound(ref);
  if (!holding.isActive) throw notRunning(ref);
  const netnsPath = sandboxOf(holding, deps)?.netnsPath;
  return netnsPath === undefined ? { kind: "host" } : { kind: "container", holding, netnsPath };
}

/** By its name, its id or the beginning of its id. Undefined: none of them. */
export function findContainer(ref: string, holdings: readonly Holding[]): Holding | undefined {
  const exact = holdings.find(({ holder, holderName }) => holder === ref || holderName === ref);
  if (exact !== undefined || !/^[0-9a-f]+$/.test(ref)) return exact;
  const [only, ...others] = holdings.filter(({ holder }) => holder.startsWith(ref));
  if (others.length === 0) return only;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "CONTAINER_AMBIGUOUS",
    what: "trace a connection",
    why: `${others.length + 1} containers' ids begin with "${ref}"`,
    fix: "write more of the id, or the name",
  });
}

function notFound(ref: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "CONTAINER_NOT_FOUND",
    what: `trace a connection from "${ref}"`,
    why: "no container of that name has networks, and it is neither `host` nor an address",
    fix: "ctl ps shows the containers that run",
  });
}

function notRunning(ref: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_RUNNING",
    what: `trace a connection from "${ref}"`,
    why: "the container does not run",
    fix: `start it (ctl start ${ref})`,
  });
}
