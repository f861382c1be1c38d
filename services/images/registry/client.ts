import { abortError } from "../../kit/deadlines.ts";
import { CtlError, isCtlError } from "../../kit/errors.ts";
import { type Digest, digestAlgorithm, digestMismatch, digestOf } from "../digest.ts";
import type { Descriptor } from "../manifest.ts";
import { familiarName, type Reference } from "../reference.ts";
import { Authorizer } from "./auth.ts";
import { blobChunks } from "./blobs.ts";
import type { CredentialSource, Credentials } from "./credentials.ts";
import { endpointsFor, type RegistrySettings } from "./endpoints.ts";
import { type FetchedManifest, fetchDigest, fetchManifest, type ManifestQuery } from "./manifests.ts";
import { ask, type RetryPolicy, type Session } from "./session.ts";
import { Transport, type TransportSettings } from "./transport.ts";

export interface RegistryClientSettings {
  readonly registries: RegistrySettings;
  readonly transport: TransportSettings;
  readonly retry: RetryPolicy;
}

export const DEFAULT_CLIENT_SETTINGS: RegistryClientSettings = {
  registries: { mirrors: {}, insecureRegistries: [] },
  transport: { proxy: {}, headTimeoutMs: 30_000 },
  retry: { attempts: 5, baseMs: 250, capMs: 5_000 },
};

/** A repository wherever it can be had: mirrors in their order, then the registry itself. */
export interface RemoteRepository {
  /** By tag or digest, verified. Throws NOT_FOUND IMAGE_NOT_FOUND; DATA_LOSS DIGEST_MISMATCH; what registries say. */
  manifest(name: Digest | string, signal: AbortSignal): Promise<FetchedManifest>;
  /** What a tag points to now; undefined where no endpoint says it without a fetch. */
  digest(tag: string, signal: AbortSignal): Promise<Digest | undefined>;
  /** A blob as a stream, resumed over broken connections and endpoints. Not verified: its reader hashes it. */
  blob(blob: Descriptor, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined>;
  /** A small blob whole (a configuration), verified. Throws DATA_LOSS DIGEST_MISMATCH; INVALID_ARGUMENT BLOB_TOO_LARGE. */
  smallBlob(blob: Descriptor, maxBytes: number, signal: AbortSignal): Promise<Buffer>;
}

/** Connections and tokens for all registries; one for the process. Dispose closes what is idle and what is not. */
export class RegistryClient implements Disposable {
  readonly #settings: RegistryClientSettings;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;

  constructor(settings: RegistryClientSettings = DEFAULT_CLIENT_SETTINGS, now: () => number = Date.now) {
    this.#settings = settings;
    this.#transport = new Transport(settings.transport);
    this.#authorizer = new Authorizer(this.#transport, now);
  }

  /** Asks nobody yet, except a credential helper. Throws INVALID_ARGUMENT REGISTRY_SETTINGS, CREDENTIALS_INVALID. */
  async repository(
    reference: Reference,
    credentials: CredentialSource,
    signal: AbortSignal,
  ): Promise<RemoteRepository> {
    const { registries, retry } = this.#settings;
    const scope = `repository:${reference.repository}:pull`;
    const sessions: Session[] = [];
    for (const endpoint of endpointsFor(reference.domain, registries)) {
      const host = endpoint.isMirror ? new URL(endpoint.url).host : reference.domain;
      sessions.push({
        access: { endpoint, scope, credentials: await credentials(host, signal) },
        repository: reference.repository,
        transport: this.#transport,
        authorizer: this.#authorizer,
        retry,
      });
    }
    return new Remote(reference, sessions);
  }

  /**
   * Shows the registry itself, not its mirrors, who we are. Throws UNAUTHENTICATED REGISTRY_UNAUTHORIZED, UNAVAILABLE
   * REGISTRY_UNAVAILABLE, what registries say.
   */
  async login(domain: string, credentials: Credentials, signal: AbortSignal): Promise<void> {
    const { registries, retry } = this.#settings;
    const itself = { ...registries, mirrors: {} };
    const sessions = endpointsFor(domain, itself).map((endpoint): Session => {
      const access = { endpoint, scope: "", credentials };
      return { access, repository: "", transport: this.#transport, authorizer: this.#authorizer, retry };
    });
    const failures: Failure[] = [];
    for (const session of sessions) {
      const hasAlternative = session !== sessions.at(-1);
      const request = { method: "GET", path: "", headers: {}, what: `log in to ${domain}`, hasAlternative } as const;
      try {
        (await ask(session, { ...request, isFirst: true }, signal)).body.resume();
        return;
      } catch (error) {
        failures.push(failureAt(session, error, signal));
      }
    }
    throw combined(failures, `log in to ${domain}`);
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}

class Remote implements RemoteRepository {
  readonly #name: string;
  #sessions: readonly Session[];

  constructor(reference: Reference, sessions: readonly Session[]) {
    this.#name = familiarName(reference);
    this.#sessions = sessions;
  }

  async manifest(name: Digest | string, signal: AbortSignal): Promise<FetchedManifest> {
    return await this.#first(name, fetchManifest, signal);
  }

  async digest(tag: string, signal: AbortSignal): Promise<Digest | undefined> {
    return await this.#first(tag, fetchDigest, signal);
  }

  async *blob(blob: Descriptor, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const failures: Failure[] = [];
    const sessions = this.#sessions;
    const what = `pull ${this.#name}`;
    let offset = 0;
    for (const session of sessions) {
      const hasAlternative = session !== sessions.at(-1);
      const query = { blob, offset, what, hasAlternative };
      try {
        for await (const chunk of blobChunks(session, query, signal)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        failures.push(failureAt(session, error, signal));
      }
    }
    throw combined(failures, what);
  }

  async smallBlob(blob: Descriptor, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
    const what = `pull ${this.#name}`;
    if (blob.size > maxBytes) {
      const why = `${blob.digest} has ${blob.size} bytes where at most ${maxBytes} make sense`;
      throw new CtlError("INVALID_ARGUMENT", { reason: "BLOB_TOO_LARGE", what, why });
    }
    const bytes = Buffer.concat(await Array.fromAsync(this.blob(blob, signal)));
    const actual = digestOf(bytes, digestAlgorithm(blob.digest));
    if (actual !== blob.digest) throw digestMismatch(what, blob.digest, actual);
    return bytes;
  }

  /** The first endpoint that answers is asked first from then on: what it has the tag of, it has the blobs of. */
  async #first<T>(
    name: string,
    fetch: (session: Session, query: ManifestQuery, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const failures: Failure[] = [];
    const sessions = this.#sessions;
    const what = `pull ${this.#name}${name.includes(":") ? "@" : ":"}${name}`;
    for (const session of sessions) {
      try {
        const found = await fetch(session, { name, what, hasAlternative: session !== sessions.at(-1) }, signal);
        this.#sessions = [session, ...sessions.filter((other) => other !== session)];
        return found;
      } catch (error) {
        failures.push(failureAt(session, error, signal));
      }
    }
    throw combined(failures, what);
  }
}

interface Failure {
  readonly session: Session;
  readonly error: CtlError;
}

/** A failure that another endpoint may make good; anything else (the caller left, our own bug) is thrown on. */
function failureAt(session: Session, error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) throw abortError(signal, "pull");
  if (!isCtlError(error)) throw error;
  return { session, error };
}

/**
 * The registry's own error, where it was asked, with what the mirrors before it said. An insecure registry was asked
 * over TLS and plain http: the one that it does not speak says nothing.
 */
function combined(failures: readonly Failure[], what: string): CtlError {
  const asked = failures.filter(({ session }) => !session.access.endpoint.isMirror);
  const last = asked.findLast(({ error }) => error.code !== "UNAVAILABLE") ?? failures.at(-1);
  if (last === undefined) throw new Error("no endpoint was asked");
  const mirrors = failures.filter((f) => f !== last && f.session.access.endpoint.isMirror);
  const said = mirrors.map(({ session, error }) => `mirror ${session.access.endpoint.url}: ${error.why}`);
  const { code, reason, why, fix } = last.error;
  const isAway = reason === "REGISTRY_UNAVAILABLE";
  const own = isAway ? `${last.session.access.endpoint.url} cannot be reached (${why})` : why;
  return new CtlError(code, {
    reason,
    what,
    why: [own, ...said].join("; "),
    cause: last.error,
    ...(fix ? { fix } : {}),
  });
}
