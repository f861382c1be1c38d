import type { Db } from "../services/kit/database.ts";
import type { ErrorCode } from "../services/kit/errors.ts";

export interface OperationRow {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly request: Buffer;
  readonly direction: "do" | "undo";
  readonly owner: string;
  readonly finished_at: Date | null;
  readonly error: RecordedError | null;
}

export interface RecordedError {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly what: string;
  readonly why: string;
  readonly fix?: string;
}

export type NewOperation = Pick<OperationRow, "id" | "kind" | "subject" | "request" | "owner">;

/** False: another operation on this subject is not finished (operations_subject). */
export async function insertOperation(db: Db, operation: NewOperation): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into operations (id, kind, subject, request, owner) values ($1, $2, $3, $4, $5)
     on conflict (subject) where finished_at is null do nothing`,
    [operation.id, operation.kind, operation.subject, operation.request, operation.owner],
  );
  return rowCount === 1;
}

export async function finishOperation(db: Db, id: string): Promise<void> {
  await db.query("update operations set finished_at = now() where id = $1 and finished_at is null", [id]);
}

/** From here on the operation is only undone, whoever works on it. */
export async function turnBack(db: Db, id: string, error: RecordedError): Promise<void> {
  await db.query("update operations set direction = 'undo', error = $2 where id = $1 and finished_at is null", [
    id,
    JSON.stringify(error),
  ]);
}

export async function findOperation(db: Db, id: string): Promise<OperationRow | undefined> {
  const { rows } = await db.query<OperationRow>(
    `select id, kind, subject, request, direction, owner::text, finished_at, error from operations where id = $1`,
    [id],
  );
  return rows[0];
}

export async function unfinishedOn(db: Db, subject: string): Promise<OperationRow | undefined> {
  const { rows } = await db.query<OperationRow>(
    `select id, kind, subject, request, direction, owner::text, finished_at, error
       from operations where subject = $1 and finished_at is null`,
    [subject],
  );
  return rows[0];
}

export async function unfinishedOperations(db: Db): Promise<OperationRow[]> {
  const { rows } = await db.query<OperationRow>(
    `select id, kind, subject, request, direction, owner::text, finished_at, error
       from operations where finished_at is null order by created_at`,
  );
  return rows;
}

/** Takes over what a dead gateway left; the caller holds that gateway's advisory lock. */
export async function adoptOperations(db: Db, from: string, to: string): Promise<void> {
  await db.query("update operations set owner = $2 where owner = $1 and finished_at is null", [from, to]);
}

/** Finished operations are kept for looking at, the newest ten thousand. */
export async function trimOperations(db: Db): Promise<void> {
  await db.query(
    `delete from operations where finished_at <= (
       select finished_at from operations where finished_at is not null
        order by finished_at desc offset 10000 limit 1)`,
  );
}
