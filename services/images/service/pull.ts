import type { PullRequest, PullResponse } from "#proto/ctl/images/v1/images.ts";
import { AsyncQueue } from "../../kit/async-queue.ts";
import { isCtlError } from "../../kit/errors.ts";
import { collectBlobs } from "../collect.ts";
import { normalise, type Platform } from "../platform.ts";
import { type PullDeps, type PullObserver, pull, wantedPlatform } from "../pull.ts";
import { parseReference, type Reference } from "../reference.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { CredentialSource } from "../registry/credentials.ts";
import { imageMessage, phaseMessage } from "./messages.ts";
import { credentialSource } from "./registry-auth.ts";

export interface PullCallDeps extends PullDeps {
  /** The one that the configuration of now asks for. */
  readonly registry: () => RegistryClient;
  /** Of this host, for a request that brings none. */
  readonly credentials: () => CredentialSource;
}

/** Bytes that came since the last message of a layer; its changes of phase are told at once. */
const PROGRESS_BYTES = 256 << 10;

/** Serves one `Pull`: progress as it comes, the image at the end. */
export async function* pullCall(
  request: PullRequest,
  deps: PullCallDeps,
  signal: AbortSignal,
): AsyncGenerator<PullResponse> {
  const reference = parseReference(request.reference);
  const answers = new AsyncQueue<PullResponse>();
  const work = run(request, reference, answers, deps, signal).then(
    () => answers.end(),
    (error: unknown) => answers.fail(error),
  );
  yield* answers;
  await work;
}

async function run(
  request: PullRequest,
  reference: Reference,
  answers: AsyncQueue<PullResponse>,
  deps: PullCallDeps,
  signal: AbortSignal,
): Promise<void> {
  const source = credentialSource(request.auth, reference.domain, deps.credentials);
  const repository = await deps.registry().repository(reference, source, signal);
  const platform = wantedPlatform(platformOf(request));
  try {
    const observer = observerOf(request.reference, answers);
    const { row, changed } = await pull(reference, platform, repository, deps, observer, signal);
    answers.push({ event: { $case: "finished", value: { image: imageMessage(row), changed } } });
  } catch (error) {
    // a full disk gets back what this pull had stored; anything else is kept for the next attempt
    if (isCtlError(error) && error.reason === "NO_SPACE") await collectBlobs(deps.db, deps.paths, 0);
    throw error;
  }
}

function observerOf(reference: string, answers: AsyncQueue<PullResponse>): PullObserver {
  const told = new Map<string, { phase: string; bytes: number }>();
  return {
    onStarted: (digest, layers) =>
      answers.push({
        event: {
          $case: "started",
          value: { reference, digest, layers: layers.map((layer) => ({ ...layer })) },
        },
      }),
    onLayer: (digest, phase, currentBytes, totalBytes) => {
      const last = told.get(digest);
      if (last?.phase === phase && currentBytes - last.bytes < PROGRESS_BYTES) return;
      told.set(digest, { phase, bytes: currentBytes });
      const value = { digest, phase: phaseMessage(phase), currentBytes, totalBytes, message: "" };
      answers.push({ event: { $case: "layer", value } });
    },
  };
}

function platformOf({ platform }: PullRequest): Platform | undefined {
  if (platform === undefined || platform.architecture === "") return undefined;
  const { os, architecture, variant } = platform;
  return normalise(os === "" ? "linux" : os, architecture, variant === "" ? undefined : variant);
}
