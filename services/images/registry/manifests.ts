import { CtlError } from "../../kit/errors.ts";
import { type Digest, digestAlgorithm, digestMismatch, digestOf, isDigest, parseDigest } from "../digest.ts";
import { MANIFEST_MEDIA_TYPES, MAX_MANIFEST_BYTES } from "../manifest.ts";
import { readBounded } from "./body.ts";
import { ask, type RegistryRequest, type Session } from "./session.ts";

export interface FetchedManifest {
  /** Exactly what the registry has: the digest is of these bytes. */
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly contentType: string | undefined;
}

export interface ManifestQuery {
  readonly name: Digest | string;
  readonly what: string;
  readonly hasAlternative: boolean;
}

/**
 * A manifest by tag or digest, verified. Throws DATA_LOSS DIGEST_MISMATCH; NOT_FOUND IMAGE_NOT_FOUND; what `ask` says.
 */
export async function fetchManifest(
  session: Session,
  query: ManifestQuery,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const response = await ask(session, requestFor("GET", query), signal);
  const bytes = await readBody(session, response.body, signal);
  const expected = isDigest(query.name) ? query.name : statedDigest(response.headers["docker-content-digest"]);
  const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
  if (expected !== undefined && digest !== expected) throw digestMismatch(query.what, expected, digest);
  return { bytes, digest, contentType: response.headers["content-type"] };
}

/** What a tag points to now, without fetching it (and without counting as a pull at Docker Hub); undefined: not told. */
export async function fetchDigest(
  session: Session,
  query: ManifestQuery,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const response = await ask(session, requestFor("HEAD", query), signal);
  response.body.resume();
  return statedDigest(response.headers["docker-content-digest"]);
}

function requestFor(method: "GET" | "HEAD", query: ManifestQuery): RegistryRequest {
  return {
    method,
    path: `manifests/${query.name}`,
    headers: { accept: MANIFEST_MEDIA_TYPES.join(", ") },
    what: query.what,
    hasAlternative: query.hasAlternative,
    isFirst: true,
  };
}

async function readBody(
  session: Session,
  body: Parameters<typeof readBounded>[0],
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    return await readBounded(body, MAX_MANIFEST_BYTES, signal);
  } catch (cause) {
    if (cause instanceof CtlError) throw cause;
    throw new CtlError("UNAVAILABLE", {
      reason: "REGISTRY_UNAVAILABLE",
      what: `read a manifest from ${session.access.endpoint.url}`,
      why: "the connection broke",
      fix: "try again",
      cause,
    });
  }
}

function statedDigest(header: string | string[] | undefined): Digest | undefined {
  return typeof header === "string" && isDigest(header) ? parseDigest(header) : undefined;
}
