import * as z from "zod";
import { CtlError } from "../kit/errors.ts";
import { type Digest, isDigest, parseDigest } from "./digest.ts";
import { normalise, type Platform } from "./platform.ts";

/** OCI descriptor.md: what a manifest points to. Sizes are bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface IndexEntry extends Descriptor {
  readonly platform: Platform | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly IndexEntry[];
}

export interface ImageManifest {
  readonly kind: "image";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export type Manifest = ImageIndex | ImageManifest;

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";

/** What we ask registries for, best first. */
export const MANIFEST_MEDIA_TYPES: readonly string[] = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

/** The limit that OCI distribution-spec names for manifests; configs are held to it too. */
export const MAX_MANIFEST_BYTES = 4 << 20;
const MAX_LAYERS = 1000;
const MAX_LAYER_BYTES = 2 ** 40;
const SCHEMA1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

const annotationsSchema = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const descriptorSchema = z.object({
  mediaType: z.string().max(255),
  digest: z.string().refine(isDigest, "is not a digest").transform(parseDigest),
  size: z.int().min(0).max(MAX_LAYER_BYTES),
});

const platformSchema = z
  .object({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
  .transform((p) => normalise(p.os, p.architecture, p.variant));

const entrySchema = descriptorSchema.extend({
  platform: platformSchema.nullish().transform((value) => value ?? undefined),
  annotations: annotationsSchema,
});

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(entrySchema).max(MAX_LAYERS),
});

const imageSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(MAX_LAYERS),
  annotations: annotationsSchema,
});

/**
 * Index or image manifest from a registry's bytes. `contentType` is the registry's word and decides only where the
 * document does not say what it is: one document read as two types is CVE-2021-41190.
 * Throws INVALID_ARGUMENT MANIFEST_INVALID, UNIMPLEMENTED MANIFEST_SCHEMA1, INVALID_ARGUMENT NOT_AN_IMAGE.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined, image: string): Manifest {
  const document = parseJson(bytes, `read the manifest of ${image}`);
  const stated = mediaTypeOf(document) ?? contentType?.split(";")[0]?.trim();
  if (isSchema1(document, stated)) throw schema1(image);
  const hasManifests = "manifests" in document;
  if (hasManifests && ("config" in document || "layers" in document)) {
    throw invalidManifest(image, "it is an index and an image at once");
  }
  const mediaType = stated ?? (hasManifests ? OCI_INDEX : OCI_MANIFEST);
  const isIndex = mediaType === OCI_INDEX || mediaType === DOCKER_INDEX || (stated === undefined && hasManifests);
  if (isIndex !== hasManifests) throw invalidManifest(image, `it is not the ${mediaType} that it says it is`);
  if (isIndex) return { kind: "index", mediaType, manifests: check(indexSchema, document, image).manifests };
  const { config, layers, annotations } = check(imageSchema, document, image);
  if (config.mediaType !== OCI_CONFIG && config.mediaType !== DOCKER_CONFIG) throw notAnImage(image, config.mediaType);
  return { kind: "image", mediaType, config, layers, annotations };
}

/** A JSON object of at most 4 MiB. Throws INVALID_ARGUMENT MANIFEST_INVALID. */
export function parseJson(bytes: Uint8Array, what: string): Record<string, unknown> {
  if (bytes.length > MAX_MANIFEST_BYTES) throw invalidDocument(what, `it has more than ${MAX_MANIFEST_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalidDocument(what, "it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidDocument(what, "it is not a JSON object");
  }
  return value as Record<string, unknown>;
}

export function invalidDocument(what: string, why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "MANIFEST_INVALID",
    what,
    why,
    fix: "push the image again with a current tool",
    cause,
  });
}

/** The first complaint of a schema, with the place in the document. */
export function complaint(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "it is malformed" : `${issue.path.join(".") || "the document"}: ${issue.message}`;
}

function check<S extends z.ZodType>(schema: S, document: unknown, image: string): z.output<S> {
  const result = schema.safeParse(document);
  if (!result.success) throw invalidManifest(image, complaint(result.error));
  return result.data;
}

function mediaTypeOf(document: Record<string, unknown>): string | undefined {
  const { mediaType } = document;
  return typeof mediaType === "string" && mediaType !== "" ? mediaType : undefined;
}

function isSchema1(document: Record<string, unknown>, stated: string | undefined): boolean {
  return document["schemaVersion"] === 1 || (stated !== undefined && SCHEMA1.test(stated));
}

function invalidManifest(image: string, why: string): CtlError {
  return invalidDocument(`read the manifest of ${image}`, why);
}

function schema1(image: string): CtlError {
  return new CtlError("UNIMPLEMENTED", {
    reason: "MANIFEST_SCHEMA1",
    what: `pull ${image}`,
    why: "the registry has it only as Docker's manifest schema 1, which has been given up since 2017",
    fix: "pull it with an old engine and push it again with a current one",
  });
}

function notAnImage(image: string, mediaType: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NOT_AN_IMAGE",
    what: `pull ${image}`,
    why: `it is no container image: its configuration is ${mediaType || "of no type"}`,
    fix: "such artifacts (charts, policies, signatures) need the tool that made them",
  });
}
