import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { type ContainerRow, containersByReference } from "./store/containers.ts";

/**
 * The container that a reference names: by name, id or the beginning of its id.
 * Throws NOT_FOUND CONTAINER_NOT_FOUND; INVALID_ARGUMENT CONTAINER_ID_AMBIGUOUS.
 */
export async function findContainer(db: Db, reference: string): Promise<ContainerRow> {
  const name = reference.startsWith("/") ? reference.slice(1) : reference;
  const rows = name === "" ? [] : await containersByReference(db, name);
  const [row, other] = rows;
  if (row === undefined) throw containerNotFound(reference);
  if (other !== undefined) throw ambiguous(reference);
  return row;
}

export function containerNotFound(reference: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "CONTAINER_NOT_FOUND",
    what: `find container ${reference.slice(0, 140)}`,
    why: "there is no such container",
    fix: "look at what is here with ctl ps -a",
  });
}

function ambiguous(reference: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CONTAINER_ID_AMBIGUOUS",
    what: `find container ${reference}`,
    why: "more than one container's id begins so",
    fix: "give more digits, or its name",
  });
}
