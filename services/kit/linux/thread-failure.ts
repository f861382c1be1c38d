import { CtlError, type ErrorCode } from "../errors.ts";

/** An error on its way between threads: structured clone keeps neither classes nor private fields. */
export interface Failure {
  readonly code: ErrorCode | undefined;
  readonly reason: string;
  readonly what: string;
  readonly why: string;
  readonly fix: string | undefined;
  readonly detail: string;
}

export function toFailure(error: unknown): Failure {
  const detail = detailOf(error);
  if (!(error instanceof CtlError)) {
    return { code: undefined, reason: "", what: "", why: "", fix: undefined, detail };
  }
  const { code, reason, what, why, fix } = error;
  return { code, reason, what, why, fix, detail };
}

export function fromFailure(failure: Failure): Error {
  const { code, reason, what, why, fix, detail } = failure;
  if (code === undefined) return new Error(`a thread failed: ${detail}`);
  return new CtlError(code, { reason, what, why, cause: detail, ...(fix === undefined ? {} : { fix }) });
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${detailOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
