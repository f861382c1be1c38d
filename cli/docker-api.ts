import { CtlError, type ErrorCode } from "../services/kit/errors.ts";
import { connectError, type DaemonAddress } from "./connect.ts";

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_ARGUMENT",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "FAILED_PRECONDITION",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
};

/**
 * What the Docker API on the daemon's socket answers to a GET: `inspect` shows Docker's JSON, and the daemon is what
 * translates into it. Undefined: 404. Throws the error that the answer's message tells.
 */
export async function getDockerJson(address: DaemonAddress, path: string, what: string): Promise<unknown> {
  const { request } = await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const target = "path" in address.socket ? { socketPath: address.socket.path } : address.socket;
  const asked = request({ ...target, path, headers: { host: "localhost" } }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("error", reject);
    answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
  });
  asked.on("error", (error) => reject(connectError(error, address)));
  asked.end();
  const { status, body } = await promise;
  if (status === 404) return undefined;
  if (status === 200) return JSON.parse(body);
  const code = CODES[status] ?? "INTERNAL";
  throw new CtlError(code, { reason: `DOCKER_API_${status}`, what, why: messageOf(body) });
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === "string" ? message : body;
  } catch {
    return body;
  }
}
