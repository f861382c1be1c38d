import type { Platform } from "#proto/ctl/common/v1/common.ts";
import type { CheckLoginRequest, InspectRemoteRequest, InspectRemoteResponse } from "#proto/ctl/images/v1/images.ts";
import { CtlError } from "../../kit/errors.ts";
import type { Platform as OfferedPlatform } from "../platform.ts";
import { parseReference } from "../reference.ts";
import { inspectRemote } from "../remote.ts";
import type { PullCallDeps } from "./pull.ts";
import { credentialSource, credentialsFrom } from "./registry-auth.ts";

/** Serves `InspectRemote`. */
export async function inspectRemoteCall(
  request: InspectRemoteRequest,
  deps: Pick<PullCallDeps, "registry" | "credentials">,
  signal: AbortSignal,
): Promise<InspectRemoteResponse> {
  const reference = parseReference(request.reference);
  const source = credentialSource(request.auth, reference.domain, deps.credentials);
  const repository = await deps.registry().repository(reference, source, signal);
  const { platforms, ...found } = await inspectRemote(reference, repository, signal);
  return { ...found, platforms: platforms.map(platformMessage) };
}

function platformMessage({ os, architecture, variant = "" }: OfferedPlatform): Platform {
  return { os, architecture, variant };
}

/** Serves `CheckLogin`. Throws INVALID_ARGUMENT CREDENTIALS_MISSING. */
export async function checkLogin(
  { registry, auth }: CheckLoginRequest,
  deps: Pick<PullCallDeps, "registry">,
  signal: AbortSignal,
): Promise<void> {
  const credentials = credentialsFrom(auth);
  if (credentials === undefined) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "CREDENTIALS_MISSING",
      what: `log in to ${registry}`,
      why: "the request brings neither a user nor a token",
    });
  }
  await deps.registry().login(registry, credentials, signal);
}
