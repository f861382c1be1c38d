/**
 * The one error class and the closed table of codes. Names are gRPC's own; only this file knows numbers.
 * A code says what a program may do next; a reason (docs/errors.md) says which case it is; the texts are for people.
 */

interface CodeFacts {
  readonly grpc: number;
  readonly http: number;
}

const CODES = {
  CANCELLED: { grpc: 1, http: 499 },
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504 },
  NOT_FOUND: { grpc: 5, http: 404 },
  ALREADY_EXISTS: { grpc: 6, http: 409 },
  PERMISSION_DENIED: { grpc: 7, http: 403 },
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429 },
  FAILED_PRECONDITION: { grpc: 9, http: 409 },
  ABORTED: { grpc: 10, http: 409 },
  UNIMPLEMENTED: { grpc: 12, http: 501 },
  INTERNAL: { grpc: 13, http: 500 },
  UNAVAILABLE: { grpc: 14, http: 503 },
  DATA_LOSS: { grpc: 15, http: 500 },
  UNAUTHENTICATED: { grpc: 16, http: 401 },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof CODES;

export interface ErrorFacts {
  /** SCREAMING_SNAKE_CASE, stable, listed in docs/errors.md. */
  readonly reason: string;
  /** What was being done, in the infinitive: `create container "web"`. */
  readonly what: string;
  readonly why: string;
  /** What the person can do; left out only where nothing can be done. */
  readonly fix?: string;
  readonly cause?: unknown;
}

export class CtlError extends Error {
  override readonly name = "CtlError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly what: string;
  readonly why: string;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, facts: ErrorFacts) {
    super(`cannot ${facts.what}: ${facts.why}`, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.reason = facts.reason;
    this.what = facts.what;
    this.why = facts.why;
    this.fix = facts.fix;
  }
}

export function grpcStatusOf(code: ErrorCode): number {
  return CODES[code].grpc;
}

export function httpStatusOf(code: ErrorCode): number {
  return CODES[code].http;
}

/** The code with this gRPC number; what is no code of ours (UNKNOWN, OUT_OF_RANGE, a future one) is INTERNAL. */
export function codeFromGrpcStatus(status: number): ErrorCode {
  for (const [code, facts] of Object.entries(CODES)) {
    if (facts.grpc === status) return code as ErrorCode;
  }
  return "INTERNAL";
}

export function isCtlError(error: unknown, ...codes: ErrorCode[]): error is CtlError {
  return error instanceof CtlError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * Any thrown value as a CtlError. What is not one already is our bug: it becomes INTERNAL, its text stays in `cause`
 * for the log and is not shown to the caller.
 */
export function asCtlError(error: unknown, what: string): CtlError {
  if (error instanceof CtlError) return error;
  return new CtlError("INTERNAL", {
    reason: "INTERNAL",
    what,
    why: "an unexpected error happened in the daemon",
    fix: "look for this operation in the daemon's log and report it",
    cause: error,
  });
}
