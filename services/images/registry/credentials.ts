import { readFile } from "node:fs/promises";
import * as z from "zod";
import { runCommand } from "../../kit/command.ts";
import { CtlError } from "../../kit/errors.ts";
import { DEFAULT_DOMAIN } from "../reference.ts";

export type Credentials =
  | { readonly kind: "anonymous" }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged at the registry's token service. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token that is sent as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

/** Who we are at a host: `docker.io` for Docker Hub, else HOST[:PORT] of the endpoint. */
export type CredentialSource = (host: string, signal: AbortSignal) => Promise<Credentials>;

export const ANONYMOUS: Credentials = { kind: "anonymous" };
const HELPER_TIMEOUT_MS = 10_000;

const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
type Entry = z.output<typeof entrySchema>;

const configSchema = z.object({
  auths: z.record(z.string(), entrySchema).nullish(),
  credsStore: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional(),
  credHelpers: z.record(z.string(), z.string().regex(/^[\w.-]+$/)).nullish(),
});

const helperSchema = z.object({ Username: z.string(), Secret: z.string() });

export function noCredentials(): CredentialSource {
  return async () => ANONYMOUS;
}

/** What a request carried (X-Registry-Auth) for one registry; nobody else is told it, mirrors neither. */
export function credentialsFor(domain: string, credentials: Credentials): CredentialSource {
  return async (host) => (host === domain ? credentials : ANONYMOUS);
}

/**
 * Docker's config.json: helpers first, then `auths`. Read anew each time: `docker login` may have changed it. A file
 * that is not there is anonymous. Throws INVALID_ARGUMENT CREDENTIALS_INVALID.
 */
export function credentialsFromFile(path: string): CredentialSource {
  return async (host, signal) => {
    const config = await readConfig(path);
    if (config === undefined) return ANONYMOUS;
    const names = namesOf(host);
    const helper = names.map((name) => config.credHelpers?.[name]).find((h) => h !== undefined) ?? config.credsStore;
    if (helper !== undefined) return await askHelper(helper, names, signal);
    const entries = Object.entries(config.auths ?? {});
    const found = entries.find(([key]) => names.includes(hostOfKey(key)));
    return found === undefined ? ANONYMOUS : fromEntry(found[1], path);
  };
}

/** Docker's X-Registry-Auth header: base64url of a JSON object; empty is anonymous. Throws CREDENTIALS_INVALID. */
export function parseRegistryAuth(header: string): Credentials {
  if (header === "") return ANONYMOUS;
  const result = entrySchema.safeParse(parseJsonText(Buffer.from(header, "base64url").toString("utf8")));
  if (!result.success) throw invalid("X-Registry-Auth", "it is not base64 of a JSON object with username and password");
  return fromEntry(result.data, "X-Registry-Auth");
}

async function readConfig(path: string): Promise<z.output<typeof configSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw invalid(path, "it cannot be read", cause);
  }
  const result = configSchema.safeParse(parseJsonText(text));
  if (!result.success) throw invalid(path, "it is not what docker login writes");
  return result.data;
}

function fromEntry(entry: Entry, source: string): Credentials {
  if (entry.registrytoken) return { kind: "registry-token", token: entry.registrytoken };
  if (entry.identitytoken) return { kind: "identity-token", token: entry.identitytoken };
  if (entry.auth) {
    const text = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon === -1) throw invalid(source, "its auth is not base64 of USER:PASSWORD");
    return { kind: "basic", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (!entry.username) return ANONYMOUS;
  return { kind: "basic", username: entry.username, password: entry.password ?? "" };
}

/** Docker Hub has been written in four ways, the first by `docker login` to this day. */
function namesOf(host: string): string[] {
  if (host !== DEFAULT_DOMAIN) return [host];
  return ["https://index.docker.io/v1/", "index.docker.io", DEFAULT_DOMAIN, "registry-1.docker.io"];
}

function hostOfKey(key: string): string {
  if (key === "https://index.docker.io/v1/") return key;
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

/** See docker-credential-helpers: the server's name on stdin, JSON on stdout, exit 1 where it knows nothing. */
async function askHelper(helper: string, names: readonly string[], signal: AbortSignal): Promise<Credentials> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(HELPER_TIMEOUT_MS)]);
  const program = `docker-credential-${helper}`;
  for (const stdin of names) {
    const { exitCode, stdout } = await runCommand(program, ["get"], { signal: bounded, stdin });
    if (exitCode !== 0) continue;
    const result = helperSchema.safeParse(parseJsonText(stdout));
    if (!result.success) throw invalid(program, "its answer is not a JSON object with Username and Secret");
    const { Username: username, Secret: secret } = result.data;
    if (username === "<token>") return { kind: "identity-token", token: secret };
    return { kind: "basic", username, password: secret };
  }
  return ANONYMOUS;
}

function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it, in words that do not repeat a secret
  }
}

function invalid(source: string, why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CREDENTIALS_INVALID",
    what: `read the registry credentials in ${source}`,
    why,
    fix: "log in again",
    cause,
  });
}
