import * as z from "zod";
import { type Digest, isDigest, parseDigest } from "./digest.ts";
import { complaint, type Descriptor, type ImageManifest, invalidDocument, parseJson } from "./manifest.ts";
import { normalise, type Platform } from "./platform.ts";

/** Docker's healthcheck; durations are nanoseconds as in the document, 0 or undefined is inherited. */
export const MAX_CONFIG_BYTES = 8 << 20;

export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number | undefined;
  readonly timeoutNs: number | undefined;
  readonly startPeriodNs: number | undefined;
  readonly startIntervalNs: number | undefined;
  readonly retries: number | undefined;
}

export interface HistoryEntry {
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly isEmptyLayer: boolean;
}

/** OCI image-spec config.md with Docker's extensions; what the document leaves out is empty or undefined. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly created: string | undefined;
  readonly author: string;
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly volumes: readonly string[];
  readonly workingDirectory: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  readonly shell: readonly string[] | undefined;
  readonly onBuild: readonly string[];
  readonly healthcheck: ImageHealthcheck | undefined;
  /** Digests of the uncompressed layers, lowest first: one for each layer of the manifest. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const optionalText = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);
const optionalTexts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? undefined);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const names = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}));
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const optionalNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);

const healthcheckSchema = z
  .object({
    Test: texts,
    Interval: optionalNumber,
    Timeout: optionalNumber,
    StartPeriod: optionalNumber,
    StartInterval: optionalNumber,
    Retries: optionalNumber,
  })
  .nullish();

const runSchema = z.object({
  User: text,
  ExposedPorts: names,
  Env: texts,
  Entrypoint: optionalTexts,
  Cmd: optionalTexts,
  Volumes: names,
  WorkingDir: text,
  Labels: labels,
  StopSignal: text,
  Shell: optionalTexts,
  OnBuild: texts,
  Healthcheck: healthcheckSchema,
});

const historySchema = z.object({
  created: optionalText,
  created_by: text,
  author: text,
  comment: text,
  empty_layer: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});

const configSchema = z.object({
  architecture: z.string().max(64),
  os: z.string().max(64),
  variant: optionalText,
  created: optionalText,
  author: text,
  config: runSchema.nullish(),
  rootfs: z.object({
    type: z.literal("layers"),
    diff_ids: z.array(z.string().refine(isDigest, "is not a digest").transform(parseDigest)),
  }),
  history: z
    .array(historySchema)
    .nullish()
    .transform((value) => value ?? []),
});

/** An image's configuration from its blob's bytes. Throws INVALID_ARGUMENT MANIFEST_INVALID. */
export function parseImageConfig(bytes: Uint8Array, image: string): ImageConfig {
  const what = `read the configuration of ${image}`;
  const result = configSchema.safeParse(parseJson(bytes, what));
  if (!result.success) throw invalidDocument(what, complaint(result.error));
  const document = result.data;
  const run = document.config ?? runSchema.parse({});
  return {
    platform: normalise(document.os, document.architecture, document.variant),
    created: document.created,
    author: document.author,
    user: run.User,
    exposedPorts: run.ExposedPorts,
    env: run.Env,
    entrypoint: run.Entrypoint,
    command: run.Cmd,
    volumes: run.Volumes,
    workingDirectory: run.WorkingDir,
    labels: run.Labels,
    stopSignal: run.StopSignal,
    shell: run.Shell,
    onBuild: run.OnBuild,
    healthcheck: toHealthcheck(run.Healthcheck),
    diffIds: document.rootfs.diff_ids,
    history: document.history.map(toHistoryEntry),
  };
}

/** Each layer's blob with its diff id, lowest first. Throws INVALID_ARGUMENT MANIFEST_INVALID where they don't pair. */
export function pairLayers(
  manifest: ImageManifest,
  config: ImageConfig,
  image: string,
): { readonly blob: Descriptor; readonly diffId: Digest }[] {
  if (manifest.layers.length !== config.diffIds.length) {
    const counts = `${manifest.layers.length} layers and ${config.diffIds.length} diff ids`;
    throw invalidDocument(`read the image ${image}`, `its manifest and configuration disagree: ${counts}`);
  }
  return manifest.layers.flatMap((blob, index) => {
    const diffId = config.diffIds[index];
    return diffId === undefined ? [] : [{ blob, diffId }];
  });
}

function toHealthcheck(value: z.output<typeof healthcheckSchema>): ImageHealthcheck | undefined {
  if (value === null || value === undefined) return undefined;
  return {
    test: value.Test,
    intervalNs: value.Interval,
    timeoutNs: value.Timeout,
    startPeriodNs: value.StartPeriod,
    startIntervalNs: value.StartInterval,
    retries: value.Retries,
  };
}

function toHistoryEntry(value: z.output<typeof historySchema>): HistoryEntry {
  return {
    created: value.created,
    createdBy: value.created_by,
    author: value.author,
    comment: value.comment,
    isEmptyLayer: value.empty_layer,
  };
}
