import { type IncomingMessage, request } from "node:http";
import { deadline, within } from "../../../kit/deadlines.ts";
import { CtlError } from "../../../kit/errors.ts";

/** Below the 15 s after which Postgres ends a transaction that waits for its client. */
const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1 << 20;
const MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";

export interface PluginCall {
  readonly plugin: string;
  readonly socket: string;
  /** `VolumeDriver.Mount` and its likes. */
  readonly method: string;
  readonly body: object;
}

/**
 * One call of Docker's plugin protocol: JSON by POST over the plugin's socket. The answer is a stranger's: bounded in
 * bytes and time, an object or refused. Throws UNAVAILABLE VOLUME_PLUGIN_UNREACHABLE; FAILED_PRECONDITION
 * VOLUME_PLUGIN_FAILED with the plugin's own words.
 */
export async function callPlugin(call: PluginCall, callers?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  const what = `wait for the volume driver "${call.plugin}" (${call.method})`;
  const signal = callers === undefined ? deadline(TIMEOUT_MS, what) : within(callers, TIMEOUT_MS, what);
  const { status, text } = await exchange(call, signal);
  const answer = parse(text);
  const said = answer?.["Err"];
  if (typeof said === "string" && said !== "") throw failed(call, said);
  if (status !== 200) throw failed(call, `it answered with status ${status}`);
  if (answer === undefined) throw failed(call, "its answer is no JSON object");
  return answer;
}

async function exchange(call: PluginCall, signal: AbortSignal): Promise<{ status: number; text: string }> {
  const body = JSON.stringify(call.body);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { Accept: MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Content-Length": Buffer.byteLength(body) };
  const options = { socketPath: call.socket, method: "POST", path: `/${call.method}`, headers, signal, agent: false };
  const sent = request({ ...options, host: "plugin" }, resolve);
  sent.on("error", reject);
  sent.end(body);
  try {
    const response = await promise;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw failed(call, `its answer has more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") };
  } catch (error) {
    if (error instanceof CtlError) throw error;
    throw unreachable(call, signal.aborted ? signal.reason : error);
  } finally {
    sent.destroy();
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null && !Array.isArray(read) ? { ...read } : undefined;
  } catch {
    return undefined;
  }
}

function failed({ plugin, method }: PluginCall, said: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_PLUGIN_FAILED",
    what: `use the volume driver "${plugin}" (${method})`,
    why: said.replace(/\p{Cc}/gu, " ").slice(0, 1000),
    fix: "look at the plugin's own log",
  });
}

function unreachable({ plugin, method }: PluginCall, cause: unknown): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "VOLUME_PLUGIN_UNREACHABLE",
    what: `use the volume driver "${plugin}" (${method})`,
    why: cause instanceof Error ? cause.message : "it does not answer",
    fix: "is the plugin running? look at its own log",
    cause,
  });
}
