import { SpanKind } from "@opentelemetry/api";
import { backoffMs } from "../../kit/backoff.ts";
import { sleep } from "../../kit/deadlines.ts";
import { type CtlError, isCtlError } from "../../kit/errors.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import type { AccessRequest, Authorizer } from "./auth.ts";
import { errorOf, isRetryable, retryAfterMs } from "./distribution-errors.ts";
import type { HttpResponse, Transport } from "./transport.ts";

/** One repository at one endpoint, with who we are there. */
export interface Session {
  readonly access: AccessRequest;
  readonly repository: string;
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  readonly retry: RetryPolicy;
}

export interface RetryPolicy {
  /** How often the same thing is tried at one endpoint, at least 1. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export interface RegistryRequest {
  readonly method: "GET" | "HEAD";
  /** Below /v2/REPOSITORY/. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For errors: `pull nginx:latest`. */
  readonly what: string;
  /** Another endpoint can be asked when this one cannot be reached: then it is not waited for. */
  readonly hasAlternative: boolean;
  /** What a pull begins with: in its middle the registry has been there, and is waited for. */
  readonly isFirst: boolean;
}

/**
 * A successful (2xx) answer: challenges answered, retried with backoff (or after what Retry-After says) while the
 * registry is busy or away. Throws what the registry says, as errorOf tells; CANCELLED and DEADLINE_EXCEEDED.
 */
export async function ask(session: Session, request: RegistryRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { attempts, baseMs, capMs } = session.retry;
  for (let attempt = 1; ; attempt++) {
    const answer = await inSpan("registry.request", spanOf(session, request), () => askOnce(session, request, signal));
    if ("response" in answer) return answer.response;
    if (!answer.isRetryable || attempt >= attempts) throw answer.error;
    await sleep(answer.waitMs ?? backoffMs(attempt - 1, baseMs, capMs), signal);
  }
}

function spanOf(session: Session, request: RegistryRequest) {
  const attributes = {
    [attribute.httpMethod]: request.method,
    [attribute.urlFull]: urlOf(session, request),
  };
  return { kind: SpanKind.CLIENT, attributes };
}

/** Without a repository it is the registry itself that is asked. */
function urlOf({ access, repository }: Session, { path }: RegistryRequest): string {
  return `${access.endpoint.url}/v2/${repository === "" ? "" : `${repository}/`}${path}`;
}

type Answer =
  | { readonly response: HttpResponse }
  | { readonly error: CtlError; readonly isRetryable: boolean; readonly waitMs: number | undefined };

async function askOnce(session: Session, request: RegistryRequest, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await sendAuthorized(session, request, signal);
    if (response.status >= 200 && response.status < 300) return { response };
    const waitMs = retryAfterMs(response, Date.now());
    const error = await errorOf(response, request.what, signal);
    return { error, isRetryable: isRetryable(response.status), waitMs };
  } catch (error) {
    if (!isCtlError(error, "UNAVAILABLE")) throw error;
    const isRetryable = !request.hasAlternative && !(request.isFirst && isAbsent(error.cause));
    return { error, isRetryable, waitMs: undefined };
  }
}

/** No such name, or nobody listens: a registry that was not heard of before will not be there in a second either. */
function isAbsent(cause: unknown): boolean {
  const codes = cause instanceof AggregateError ? cause.errors.map(codeOf) : [codeOf(cause)];
  return codes.length > 0 && codes.every((code) => ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED"].includes(code));
}

function codeOf(cause: unknown): string {
  return String((cause as NodeJS.ErrnoException | undefined)?.code);
}

async function sendAuthorized(session: Session, request: RegistryRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { access, authorizer } = session;
  const known = authorizer.known(access);
  const response = await sendOnce(session, request, known, signal);
  if (response.status !== 401) return response;
  const answer = await authorizer.answer(response, access, signal);
  if (answer === undefined || answer === known) return response;
  response.body.resume();
  return await sendOnce(session, request, answer, signal);
}

async function sendOnce(
  session: Session,
  request: RegistryRequest,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { access, transport } = session;
  return await transport.send(
    {
      method: request.method,
      url: new URL(urlOf(session, request)),
      insecure: access.endpoint.insecure,
      headers: {
        "user-agent": "ctl",
        "accept-encoding": "identity",
        ...request.headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
    },
    signal,
  );
}
