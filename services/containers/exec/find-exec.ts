import type { Database } from "../../kit/database.ts";
import { CtlError } from "../../kit/errors.ts";
import { type ExecRow, execById, execsByBeginning } from "../store/execs.ts";

/**
 * The exec that an id, or the beginning of one, names. Throws NOT_FOUND EXEC_NOT_FOUND; INVALID_ARGUMENT
 * EXEC_ID_AMBIGUOUS.
 */
export async function findExec(db: Database, reference: string): Promise<ExecRow> {
  const exact = await execById(db, reference);
  if (exact !== undefined) return exact;
  const [row, other] = /^[0-9a-f]{1,63}$/.test(reference) ? await execsByBeginning(db, reference) : [];
  if (row === undefined) throw execNotFound(reference);
  if (other !== undefined) throw ambiguous(reference);
  return row;
}

function execNotFound(reference: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "EXEC_NOT_FOUND",
    what: `find the exec ${reference.slice(0, 80)}`,
    why: "there is no such exec",
    fix: "execs are forgotten with their container, and an hour after their end; ctl execs ls -a shows them",
  });
}

function ambiguous(reference: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "EXEC_ID_AMBIGUOUS",
    what: `find the exec ${reference}`,
    why: "more than one exec's id begins so",
    fix: "give more digits",
  });
}
