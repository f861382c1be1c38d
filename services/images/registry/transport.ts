import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { abortError } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** TLS certificates are not verified; plain http may be redirected to plain http. */
  readonly insecure: boolean;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /** Must be read to its end or destroyed, else its connection is lost. */
  readonly body: IncomingMessage;
}

export interface TransportSettings {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY as the environment would have them. */
  readonly proxy: Readonly<Record<string, string>>;
  /** How long an answer's head may take, connecting included. */
  readonly headTimeoutMs: number;
}

/** What most registries stand from one client, and enough to fill a line: more layers than this wait for a connection. */
const CONNECTIONS_PER_HOST = 12;
const MAX_REDIRECTS = 5;

/**
 * HTTP as registries need it: connections kept alive, TLS that may be unverified by endpoint, redirects to other hosts
 * without our Authorization. node:http and not fetch, which has no way to skip verification without its own package.
 */
export class Transport implements Disposable {
  readonly #headTimeoutMs: number;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent; readonly insecureHttps: HttpsAgent };

  constructor(settings: TransportSettings) {
    const common = { keepAlive: true, maxSockets: CONNECTIONS_PER_HOST, proxyEnv: { ...settings.proxy } };
    this.#headTimeoutMs = settings.headTimeoutMs;
    this.#agents = {
      http: new HttpAgent(common),
      https: new HttpsAgent(common),
      insecureHttps: new HttpsAgent({ ...common, rejectUnauthorized: false }),
    };
  }

  /**
   * The answer to a request, redirects followed for GET and HEAD. Any status is an answer. The signal also ends the
   * body. Throws UNAVAILABLE REGISTRY_UNAVAILABLE when there is no answer; CANCELLED or DEADLINE_EXCEEDED by the signal.
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    let current = request;
    for (let redirects = 0; ; redirects++) {
      const body = await this.#once(current, signal);
      const status = body.statusCode ?? 0;
      const { location } = body.headers;
      if (!isRedirect(status) || location === undefined || request.method === "POST") {
        return { status, headers: body.headers, url: current.url, body };
      }
      body.resume();
      if (redirects === MAX_REDIRECTS) throw unavailable(request.url, `it redirects more than ${MAX_REDIRECTS} times`);
      current = redirected(current, location);
    }
  }

  [Symbol.dispose](): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  async #once(request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    if (signal.aborted) throw abortError(signal, `ask ${request.url.host}`);
    const isTls = request.url.protocol === "https:";
    const agent = isTls ? (request.insecure ? this.#agents.insecureHttps : this.#agents.https) : this.#agents.http;
    const options = { method: request.method, headers: request.headers, agent, signal };
    const outgoing = isTls ? httpsRequest(request.url, options) : httpRequest(request.url, options);
    const answered = Promise.withResolvers<IncomingMessage>();
    outgoing.on("response", answered.resolve);
    outgoing.on("error", answered.reject); // stays on: after the answer, the body's reader sees what breaks
    const timer = setTimeout(() => outgoing.destroy(new Error("it does not answer")), this.#headTimeoutMs);
    try {
      outgoing.end(request.body);
      return await answered.promise;
    } catch (cause) {
      if (signal.aborted) throw abortError(signal, `ask ${request.url.host}`);
      throw unavailable(request.url, messageOf(cause), cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

function redirected(request: HttpRequest, location: string): HttpRequest {
  const url = URL.parse(location, request.url);
  if (url === null || !/^https?:$/.test(url.protocol)) throw unavailable(request.url, "it redirects to no web address");
  if (url.protocol === "http:" && request.url.protocol === "https:") {
    throw unavailable(request.url, `it redirects from https to plain http at ${url.host}`);
  }
  if (url.origin === request.url.origin) return { ...request, url };
  const { authorization: _, ...headers } = request.headers;
  return { ...request, url, headers, insecure: request.insecure && url.hostname === request.url.hostname };
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

export function unavailable(url: URL, why: string, cause?: unknown): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "REGISTRY_UNAVAILABLE",
    what: `reach the registry at ${url.origin}`,
    why,
    fix: "check the network, the name and the registries in /etc/ctl/ctl.yaml, and try again",
    cause,
  });
}

/** An AggregateError of connection attempts has an empty message of its own. */
function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join("; ");
  return cause instanceof Error && cause.message !== "" ? cause.message : "the connection failed";
}
