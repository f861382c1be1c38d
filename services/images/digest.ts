import { createHash, type Hash } from "node:crypto";
import { CtlError } from "../kit/errors.ts";

declare const brand: unique symbol;

/** A content address as OCI image-spec descriptor.md has it: `sha256:` and 64 lower-case hex digits, or sha512 with 128. */
export type Digest = string & { readonly [brand]: "Digest" };

export type DigestAlgorithm = "sha256" | "sha512";

const HEX_LENGTH = { sha256: 64, sha512: 128 } as const satisfies Record<DigestAlgorithm, number>;

/** Throws INVALID_ARGUMENT INVALID_DIGEST, also for an algorithm that is registered nowhere. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "INVALID_DIGEST",
    what: `read the digest "${text.slice(0, 200)}"`,
    why: "it is not sha256: with 64 or sha512: with 128 lower-case hexadecimal digits",
  });
}

export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, colon);
  if (algorithm !== "sha256" && algorithm !== "sha512") return false;
  const hex = text.slice(colon + 1);
  return hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex);
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The first twelve hex digits: what `docker images` shows as an id. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

/** The digest of bytes that are in memory; for comparing, pass the algorithm of the digest that is expected. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return digestFrom(createHash(algorithm).update(bytes), algorithm);
}

/** Ends a running hash. Its algorithm must be the one that is named. */
export function digestFrom(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return parseDigest(`${algorithm}:${hash.digest("hex")}`);
}

export function digestMismatch(what: string, expected: Digest, actual: Digest): CtlError {
  return new CtlError("DATA_LOSS", {
    reason: "DIGEST_MISMATCH",
    what,
    why: `its content has the digest ${actual}, not ${expected}`,
    fix: "try again; if it stays so, the registry or a proxy in between serves damaged content",
  });
}
