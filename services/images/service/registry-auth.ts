import type { RegistryAuth } from "#proto/ctl/images/v1/images.ts";
import { type CredentialSource, type Credentials, credentialsFor } from "../registry/credentials.ts";

/** What a request brings for a registry; undefined where it brings nothing. */
export function credentialsFrom(auth: RegistryAuth | undefined): Credentials | undefined {
  if (auth === undefined) return undefined;
  if (auth.registryToken !== "") return { kind: "registry-token", token: auth.registryToken };
  if (auth.identityToken !== "") return { kind: "identity-token", token: auth.identityToken };
  return auth.username === "" ? undefined : { kind: "basic", username: auth.username, password: auth.password };
}

/** The request's for its registry, or this host's. */
export function credentialSource(
  auth: RegistryAuth | undefined,
  domain: string,
  ofHost: () => CredentialSource,
): CredentialSource {
  const brought = credentialsFrom(auth);
  return brought === undefined ? ofHost() : credentialsFor(domain, brought);
}
