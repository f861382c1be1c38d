import { CtlError } from "../kit/errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/**
 * Where an image lives, normalised as Docker does (distribution/reference): `nginx` is docker.io/library/nginx:latest.
 * With a digest the tag, where there is one, is for showing only: the digest decides.
 */
export interface Reference {
  /** Host and port of the registry: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** The repository in that registry, `library/nginx`. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

export const DEFAULT_DOMAIN = "docker.io";
const OFFICIAL = "library/";
const MAX_NAME_LENGTH = 255;
const MAX_TEXT_LENGTH = 1024;

const DOMAIN_COMPONENT = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[\w][\w.-]{0,127}$/;
const IDENTIFIER = /^[0-9a-f]{64}$/;

/**
 * What a person types (`nginx`, `ghcr.io/a/b:1`, `localhost:5000/x@sha256:…`) as a reference; without tag and digest
 * the tag is `latest`. Throws INVALID_ARGUMENT INVALID_REFERENCE.
 */
export function parseReference(text: string): Reference {
  if (text.length === 0) throw invalid(text, "it is empty");
  if (text.length > MAX_TEXT_LENGTH) throw invalid(text, `it is longer than ${MAX_TEXT_LENGTH} characters`);
  if (IDENTIFIER.test(text)) throw invalid(text, "64 hexadecimal digits are an image id, not a name");
  const { name, digest } = cutDigest(text);
  const { domain, remainder } = splitDomain(name);
  const { path, tag } = cutTag(remainder, text);
  const repository = domain === DEFAULT_DOMAIN && !path.includes("/") ? `${OFFICIAL}${path}` : path;
  checkName(domain, repository, text);
  return { domain, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** The whole name with what identifies it, `docker.io/library/nginx:latest`: one text per reference. */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.repository}${suffix(reference)}`;
}

/** What Docker shows and people type: without docker.io and library, `nginx:latest`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** The same without tag and digest: the column REPOSITORY of `docker images`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return `${reference.domain}/${reference.repository}`;
  const short = reference.repository.slice(OFFICIAL.length);
  const isOfficial = reference.repository.startsWith(OFFICIAL) && !short.includes("/");
  return isOfficial ? short : reference.repository;
}

/** Host and repository without tag and digest: the key under which tags are kept. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.repository}`;
}

export function withDigest(reference: Reference, digest: Digest): Reference {
  return { ...reference, tag: undefined, digest };
}

function suffix(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return tag + digest;
}

function cutDigest(text: string): { name: string; digest: Digest | undefined } {
  const at = text.indexOf("@");
  if (at === -1) return { name: text, digest: undefined };
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw invalid(text, `"${digest}" is not a digest such as sha256: and 64 hexadecimal digits`);
  return { name: text.slice(0, at), digest };
}

/** The first part is a registry only where it could not be a Docker Hub user: it has a dot, a port, or is localhost. */
function splitDomain(name: string): { domain: string; remainder: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, slash);
  const isDomain = slash !== -1 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  if (!isDomain) return { domain: DEFAULT_DOMAIN, remainder: name };
  const domain = first === "index.docker.io" ? DEFAULT_DOMAIN : first;
  return { domain, remainder: name.slice(slash + 1) };
}

function cutTag(remainder: string, text: string): { path: string; tag: string | undefined } {
  const colon = remainder.indexOf(":");
  if (colon === -1) return { path: remainder, tag: undefined };
  const tag = remainder.slice(colon + 1);
  if (!TAG.test(tag)) {
    throw invalid(
      text,
      `the tag "${tag}" is not up to 128 letters, digits, "_", "." and "-" that start with no "." or "-"`,
    );
  }
  return { path: remainder.slice(0, colon), tag };
}

function checkName(domain: string, repository: string, text: string): void {
  if (!DOMAIN.test(domain)) throw invalid(text, `"${domain}" is not a registry's host name with an optional port`);
  if (/[A-Z]/.test(repository)) throw invalid(text, "a repository's name must be lower-case");
  for (const component of repository.split("/")) {
    if (!PATH_COMPONENT.test(component)) {
      throw invalid(text, `"${component}" is not lower-case letters and digits joined by ".", "_", "__" or "-"`);
    }
  }
  if (repository.length > MAX_NAME_LENGTH) {
    throw invalid(text, `a repository's name has at most ${MAX_NAME_LENGTH} characters`);
  }
}

function invalid(text: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "INVALID_REFERENCE",
    what: `read the image reference "${text.slice(0, 300)}"`,
    why,
    fix: "write it as [REGISTRY[:PORT]/]NAME[:TAG][@DIGEST]",
  });
}
