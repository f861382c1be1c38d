import { CtlError } from "../../services/kit/errors.ts";

/** Versions of Docker's Engine API are 1.x: two of them compare by `minor`. */
export interface ApiVersion {
  /** As in a URL: `1.50`. */
  readonly text: string;
  readonly minor: number;
}

export const OLDEST_API: ApiVersion = { text: "1.24", minor: 24 };
export const NEWEST_API: ApiVersion = { text: "1.56", minor: 56 };

export interface VersionedPath {
  /** Without the version, beginning with `/`. */
  readonly path: string;
  readonly version: ApiVersion;
}

/**
 * Takes the version off a URL's path; without one it is the newest, as Docker has it.
 * A version that is not spoken is kept for `requireSpoken`, so that the answer still carries the usual headers.
 */
export function splitVersion(url: string): VersionedPath {
  const match = /^\/v(\d{1,4})\.(\d{1,4})(\/.*)$/s.exec(url);
  if (match === null) return { path: url, version: NEWEST_API };
  const [, major = "", minor = "", path = "/"] = match;
  return { path, version: { text: `${major}.${minor}`, minor: (Number(major) - 1) * 10_000 + Number(minor) } };
}

/** Throws INVALID_ARGUMENT API_VERSION_UNSUPPORTED with Docker's words for a client that is too old or too new. */
export function requireSpoken(version: ApiVersion): void {
  if (version.minor < OLDEST_API.minor) {
    throw unsupported(
      `client version ${version.text} is too old. Minimum supported API version is ${OLDEST_API.text}, please upgrade your client to a newer version`,
    );
  }
  if (version.minor > NEWEST_API.minor) {
    throw unsupported(`client version ${version.text} is too new. Maximum supported API version is ${NEWEST_API.text}`);
  }
}

function unsupported(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "API_VERSION_UNSUPPORTED", what: "serve the Docker API", why });
}
