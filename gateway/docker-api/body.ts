import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import * as z from "zod";
import { deadline, raceSignal } from "../../services/kit/deadlines.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { invalidRequest } from "./query.ts";

/** A container's configuration with a thousand labels stays below a tenth of it. */
const MAX_BODY_BYTES = 4 << 20;
const MAX_DEPTH = 64;
const BODY_TIMEOUT_MS = 60_000;

/** Reads a request's body whole, within bounds of size and time. Throws INVALID_ARGUMENT BODY_TOO_LARGE. */
export async function readBody(payload: Readable, headers: IncomingHttpHeaders): Promise<Buffer> {
  if (Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const reading = collect(payload);
  return raceSignal(reading, deadline(BODY_TIMEOUT_MS, "read the request's body"), "read the request's body");
}

async function collect(payload: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "BODY_TOO_LARGE",
    what: "read the request's body",
    why: `http: request body too large (more than ${MAX_BODY_BYTES} bytes)`,
  });
}

/** A request's JSON in its narrow type. Throws INVALID_ARGUMENT REQUEST_INVALID. */
export function jsonBody<T>(schema: z.ZodType<T>, body: unknown, headers: IncomingHttpHeaders): T {
  const raw = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  if (raw.length === 0) throw invalidRequest("invalid JSON: got EOF while reading request body");
  const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw invalidRequest(`unsupported Content-Type header (${type ?? ""}): must be 'application/json'`);
  }
  const parsed = schema.safeParse(parseJson(raw));
  if (parsed.success) return parsed.data;
  throw invalidRequest(`invalid JSON: ${z.prettifyError(parsed.error).replaceAll(/\s+/g, " ")}`);
}

/** The same where the body may be missing: then it is an empty object. */
export function optionalJsonBody<T>(schema: z.ZodType<T>, body: unknown, headers: IncomingHttpHeaders): T {
  const isEmpty = !Buffer.isBuffer(body) || body.length === 0;
  return isEmpty ? schema.parse({}) : jsonBody(schema, body, headers);
}

function parseJson(raw: Buffer): unknown {
  if (depthOf(raw) > MAX_DEPTH) throw invalidRequest(`invalid JSON: nested deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(raw.toString("utf8"));
  } catch (error) {
    throw invalidRequest(`invalid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const [OPEN_LIST, OPEN_OBJECT, CLOSE_LIST, CLOSE_OBJECT, QUOTE, BACKSLASH] = Buffer.from('[{]}"\\');

function depthOf(raw: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let index = 0; index < raw.length; index++) {
    const byte = raw[index];
    if (isInString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return deepest;
}
