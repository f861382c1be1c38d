import * as z from "zod";
import { CtlError, type ErrorCode } from "../../kit/errors.ts";
import { readBounded } from "./body.ts";
import type { HttpResponse } from "./transport.ts";

/** What a registry says is wrong: OCI distribution-spec "Error Codes". */
interface RegistryComplaint {
  readonly code: string;
  readonly message: string;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly why: string;
  readonly fix: string;
}

/** Errors are short; what a proxy sends instead may not be. */
const MAX_ERROR_BYTES = 64 << 10;
const MAX_WAIT_MS = 60_000;

const errorSchema = z.object({
  errors: z.array(z.object({ code: z.string().catch(""), message: z.string().catch("") })).min(1),
});

/** An unwanted answer as an error. Reads its body (bounded). `what` is what was being done: `pull nginx:latest`. */
export async function errorOf(response: HttpResponse, what: string, signal: AbortSignal): Promise<CtlError> {
  const complaint = await readComplaint(response, signal);
  const meaning = meaningOf(response, complaint);
  return new CtlError(meaning.code, { reason: meaning.reason, what, why: meaning.why, fix: meaning.fix });
}

/** Worth the same request again: the registry is busy, restarting, or asks for patience. */
export function isRetryable(status: number): boolean {
  return status === 429 || status === 408 || status >= 500;
}

/** RFC 9110 Retry-After as seconds or a date, in ms, capped at a minute; undefined where it is not said. */
export function retryAfterMs(response: HttpResponse, nowMs: number): number | undefined {
  const value = response.headers["retry-after"];
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_WAIT_MS);
}

function meaningOf(response: HttpResponse, complaint: RegistryComplaint | undefined): Meaning {
  const { status, url } = response;
  const said = complaint === undefined ? `HTTP ${status}` : `${complaint.code || status}: ${complaint.message}`;
  const host = url.host;
  if (status === 429) {
    return {
      code: "RESOURCE_EXHAUSTED",
      reason: "TOO_MANY_REQUESTS",
      why: `${host} allows no more requests for now (${said})`,
      fix: "wait, log in, or configure a mirror",
    };
  }
  if (status === 401 || status === 403) {
    return {
      code: status === 401 ? "UNAUTHENTICATED" : "PERMISSION_DENIED",
      reason: "REGISTRY_UNAUTHORIZED",
      why: `${host} refuses access: the repository does not exist or needs a login (${said})`,
      fix: "check the name, or log in",
    };
  }
  if (status === 404) return notFound(host, said, complaint);
  if (isRetryable(status)) {
    return {
      code: "UNAVAILABLE",
      reason: "REGISTRY_UNAVAILABLE",
      why: `${host} cannot answer now (${said})`,
      fix: "try again later",
    };
  }
  return {
    code: "FAILED_PRECONDITION",
    reason: "REGISTRY_REFUSED",
    why: `${host} refuses the request (${said})`,
    fix: "check that this address is a registry that speaks the distribution API",
  };
}

function notFound(host: string, said: string, complaint: RegistryComplaint | undefined): Meaning {
  if (complaint?.code === "BLOB_UNKNOWN") {
    return {
      code: "NOT_FOUND",
      reason: "BLOB_NOT_FOUND",
      why: `${host} lacks content that its manifest names (${said})`,
      fix: "push the image again",
    };
  }
  return {
    code: "NOT_FOUND",
    reason: "IMAGE_NOT_FOUND",
    why: `${host} has no such image (${said})`,
    fix: "check the name and the tag",
  };
}

async function readComplaint(response: HttpResponse, signal: AbortSignal): Promise<RegistryComplaint | undefined> {
  try {
    const body = await readBounded(response.body, MAX_ERROR_BYTES, signal);
    const [first] = errorSchema.parse(JSON.parse(body.toString("utf8"))).errors;
    return first === undefined ? undefined : { code: first.code.slice(0, 100), message: first.message.slice(0, 500) };
  } catch {
    return undefined; // the status says enough; the body was a courtesy
  }
}
