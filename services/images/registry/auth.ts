import { createHash } from "node:crypto";
import * as z from "zod";
import { readBounded } from "./body.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { errorOf } from "./distribution-errors.ts";
import { isInsecureHost, type RegistryEndpoint } from "./endpoints.ts";
import { type HttpRequest, type HttpResponse, type Transport, unavailable } from "./transport.ts";

/** Who asks whom for what: a token is good for exactly this. */
export interface AccessRequest {
  readonly endpoint: RegistryEndpoint;
  /** `repository:library/nginx:pull` */
  readonly scope: string;
  readonly credentials: Credentials;
}

interface CachedHeader {
  readonly header: string;
  readonly expiresAtMs: number;
}

const MAX_TOKEN_BYTES = 1 << 20;
const MAX_CACHED = 256;
/** The token specification's default where a server names none; and what a token must have left to be used. */
const DEFAULT_EXPIRY_S = 60;
const MARGIN_MS = 10_000;

const tokenSchema = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().nullish(),
});

/**
 * Answers registries' challenges and remembers the answers: Basic, and Docker's token flow (anonymous, with user and
 * password, with an identity token). Remembered per endpoint, scope and identity, bounded, until shortly before expiry.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #now: () => number;
  readonly #cached = new Map<string, CachedHeader>();

  constructor(transport: Transport, now: () => number) {
    this.#transport = transport;
    this.#now = now;
  }

  /** The Authorization that worked before or needs no asking. */
  known(access: AccessRequest): string | undefined {
    if (access.credentials.kind === "registry-token") return `Bearer ${access.credentials.token}`;
    const cached = this.#cached.get(keyOf(access));
    return cached !== undefined && cached.expiresAtMs > this.#now() ? cached.header : undefined;
  }

  /**
   * The Authorization that a 401 asks for; undefined where we have none to give. Throws what the token service says:
   * UNAUTHENTICATED REGISTRY_UNAUTHORIZED, UNAVAILABLE REGISTRY_UNAVAILABLE and so on.
   */
  async answer(response: HttpResponse, access: AccessRequest, signal: AbortSignal): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers["www-authenticate"] ?? "");
    const bearer = challenges.find((c) => c.scheme === "bearer" && c.parameters["realm"] !== undefined);
    if (bearer !== undefined) return this.#remember(access, await this.#fetchToken(bearer, access, signal));
    const { credentials } = access;
    if (credentials.kind !== "basic" || !challenges.some((c) => c.scheme === "basic")) return undefined;
    return this.#remember(access, { header: basicHeader(credentials), expiresAtMs: Number.POSITIVE_INFINITY });
  }

  #remember(access: AccessRequest, answer: CachedHeader): string {
    const key = keyOf(access);
    this.#cached.delete(key);
    this.#cached.set(key, answer);
    const [oldest] = this.#cached.keys();
    if (this.#cached.size > MAX_CACHED && oldest !== undefined) this.#cached.delete(oldest);
    return answer.header;
  }

  async #fetchToken(challenge: Challenge, access: AccessRequest, signal: AbortSignal): Promise<CachedHeader> {
    const response = await this.#transport.send(tokenRequest(challenge, access), signal);
    const what = `get a token for ${access.scope}`;
    if (response.status !== 200) throw await errorOf(response, what, signal);
    const body = await readBounded(response.body, MAX_TOKEN_BYTES, signal);
    const answer = parseToken(body);
    if (answer === undefined) throw unavailable(response.url, "its token service does not answer with a token");
    const lifetimeMs = answer.expiresInS * 1000 - MARGIN_MS;
    return { header: `Bearer ${answer.token}`, expiresAtMs: this.#now() + Math.max(lifetimeMs, 0) };
  }
}

/** See distribution's token specification and its OAuth2 variant (the latter for identity tokens only, as Docker does). */
function tokenRequest(challenge: Challenge, access: AccessRequest): HttpRequest {
  const { realm = "", service, scope = access.scope } = challenge.parameters;
  const { credentials, endpoint } = access;
  const url = realmUrl(realm, endpoint);
  const insecure = endpoint.insecure;
  if (credentials.kind === "identity-token") {
    const form = { grant_type: "refresh_token", refresh_token: credentials.token, client_id: "ctl", scope };
    const body = new URLSearchParams({ ...form, ...(service === undefined ? {} : { service }) }).toString();
    return { method: "POST", url, insecure, body, headers: { "content-type": "application/x-www-form-urlencoded" } };
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const part of scope.split(" ").filter((one) => one !== "")) url.searchParams.append("scope", part);
  if (credentials.kind !== "basic") return { method: "GET", url, insecure, headers: {} };
  url.searchParams.set("account", credentials.username);
  return { method: "GET", url, insecure, headers: { authorization: basicHeader(credentials) } };
}

/** A realm on plain http would send a password in clear: only where the registry itself may. */
function realmUrl(realm: string, endpoint: RegistryEndpoint): URL {
  const url = URL.parse(realm);
  const origin = new URL(endpoint.url);
  if (url === null) throw unavailable(origin, "its token service's address is malformed");
  const isLoopback = isInsecureHost(url.host, { mirrors: {}, insecureRegistries: [] });
  if (url.protocol === "https:" || (url.protocol === "http:" && (endpoint.insecure || isLoopback))) return url;
  throw unavailable(origin, `its token service ${url.origin} does not speak https`);
}

function parseToken(body: Buffer): { token: string; expiresInS: number } | undefined {
  try {
    const { token, access_token, expires_in } = tokenSchema.parse(JSON.parse(body.toString("utf8")));
    const value = token || access_token;
    return value ? { token: value, expiresInS: expires_in ?? DEFAULT_EXPIRY_S } : undefined;
  } catch {
    return undefined; // not repeated: it may hold half of a secret
  }
}

function basicHeader(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, "utf8").toString("base64")}`;
}

function keyOf({ endpoint, scope, credentials }: AccessRequest): string {
  const identity = createHash("sha256").update(JSON.stringify(credentials)).digest("base64url");
  return `${endpoint.url} ${scope} ${identity}`;
}
