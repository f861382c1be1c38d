import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { ErrorDetail } from "#proto/ctl/common/v1/common.ts";
import { CtlError, codeFromGrpcStatus, grpcStatusOf } from "../errors.ts";

/** Trailing metadata that carries a {@link CtlError} across a process boundary. */
const DETAIL_KEY = "ctl-error-bin";

export function toServiceError(error: CtlError): Partial<ServiceError> {
  const metadata = new Metadata();
  const { reason, what, why, fix } = error;
  metadata.set(DETAIL_KEY, Buffer.from(ErrorDetail.encode({ reason, what, why, fix: fix ?? "" }).finish()));
  // a status message travels as a header: one line
  return { code: grpcStatusOf(error.code), details: error.message.replaceAll(/\s+/g, " "), metadata };
}

/** What a call failed with, as it was thrown on the other side. `what` is used when the other side said nothing. */
export function fromServiceError(error: ServiceError, what: string): CtlError {
  const code = codeFromGrpcStatus(error.code);
  const detail = error.metadata?.get(DETAIL_KEY)[0];
  if (Buffer.isBuffer(detail)) {
    const { reason, what: whatFailed, why, fix } = ErrorDetail.decode(detail);
    return new CtlError(code, { reason, what: whatFailed, why, ...(fix === "" ? {} : { fix }), cause: error });
  }
  return new CtlError(code, { reason: `GRPC_${code}`, what, why: error.details || error.message, cause: error });
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
