import { ErrorDetail } from "#proto/ctl/common/v1/common.ts";
import { CtlError, codeFromGrpcStatus, type ErrorCode } from "../../services/kit/errors.ts";
import type { Field } from "../http2/hpack.ts";
import { StreamError } from "../http2/stream.ts";

/** What `services/kit/grpc/errors.ts` puts a CtlError into. */
const DETAIL_KEY = "ctl-error-bin";

/** gRPC's mapping of HTTP statuses, for answers that no gRPC server made. */
const CODE_BY_HTTP_STATUS: Readonly<Record<string, ErrorCode>> = {
  "400": "INTERNAL",
  "401": "UNAUTHENTICATED",
  "403": "PERMISSION_DENIED",
  "404": "UNIMPLEMENTED",
  "429": "UNAVAILABLE",
  "502": "UNAVAILABLE",
  "503": "UNAVAILABLE",
  "504": "UNAVAILABLE",
};

/** The error that the fields of an answer (headers and trailers together) say; undefined: the call succeeded. */
export function errorOfFields(fields: readonly Field[], what: string): CtlError | undefined {
  const byName = new Map(fields);
  const status = byName.get("grpc-status");
  if (status === "0") return undefined;
  if (status === undefined) return withoutStatus(byName.get(":status") ?? "", what);
  const code = codeFromGrpcStatus(Number(status));
  const detail = byName.get(DETAIL_KEY);
  if (detail !== undefined) {
    const { reason, what: whatFailed, why, fix } = ErrorDetail.decode(Buffer.from(detail, "base64"));
    return new CtlError(code, { reason, what: whatFailed, why, ...(fix === "" ? {} : { fix }) });
  }
  return new CtlError(code, { reason: `GRPC_${code}`, what, why: percentDecoded(byName.get("grpc-message") ?? "") });
}

function withoutStatus(httpStatus: string, what: string): CtlError {
  const code = CODE_BY_HTTP_STATUS[httpStatus] ?? "INTERNAL";
  return new CtlError(code, {
    reason: `GRPC_${code}`,
    what,
    why: `the daemon's answer ended without a status (HTTP ${httpStatus})`,
    fix: "is it ctld that serves at this address?",
  });
}

/** gRPC's statuses for a stream that was given up, and UNAVAILABLE for a connection that broke. */
export function errorOfStream(error: Error, what: string): CtlError {
  const isCancelled = error instanceof StreamError && error.code === 8;
  return new CtlError(isCancelled ? "CANCELLED" : "UNAVAILABLE", {
    reason: isCancelled ? "CANCELLED" : "CONNECTION_LOST",
    what,
    why: `the connection to the daemon broke: ${error.message}`,
    fix: "try again; look at the daemon's log if it stays so",
    cause: error,
  });
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
