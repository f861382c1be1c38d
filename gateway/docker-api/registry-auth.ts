import * as z from "zod";
import { RegistryAuth } from "#proto/ctl/images/v1/images.ts";
import { goObject, goString } from "./translate/go-json.ts";

/** The credentials of Docker's AuthConfig. */
export const authConfig = goObject({
  username: goString,
  password: goString,
  auth: goString,
  serveraddress: goString,
  identitytoken: goString,
  registrytoken: goString,
});

/** `X-Registry-Auth`: base64url of JSON. A header that cannot be read counts as none, as in Docker. */
export function registryAuth(header: string | string[] | undefined): RegistryAuth | undefined {
  if (typeof header !== "string" || header === "") return undefined;
  const text = Buffer.from(header, "base64").toString("utf8");
  const parsed = z.string().transform(jsonOf).pipe(authConfig).safeParse(text);
  return parsed.success ? authOf(parsed.data) : undefined;
}

/** Undefined where it holds neither a user nor a token. */
export function authOf(config: z.output<typeof authConfig>): RegistryAuth | undefined {
  const { username, password, identitytoken: identityToken, registrytoken: registryToken } = config;
  if (username === "" && identityToken === "" && registryToken === "") return undefined;
  return RegistryAuth.fromPartial({ username, password, identityToken, registryToken });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
