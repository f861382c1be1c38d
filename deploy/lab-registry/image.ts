import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** OCI image-spec config.md, the `config` object. */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: { readonly Test: readonly string[]; readonly Interval?: number };
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Layer {
  readonly descriptor: Descriptor;
  /** The digest of the tar inside. */
  readonly diffId: string;
  /** The compressed file. */
  readonly path: string;
}

/** A document with its address: a config, a manifest or an index. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface Image {
  readonly layers: readonly Layer[];
  readonly config: Document;
  readonly manifest: Document;
  /** One entry, for this machine's platform: what a tag names. */
  readonly index: Document;
}

const CREATED = "2023-11-14T22:13:20Z"; // the SOURCE_DATE_EPOCH of make-root.sh: the same files give the same digests
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** An OCI image of gzip'd layers, the lowest first. Reads each of them once. */
export async function makeImage(layerPaths: readonly string[], config: ImageConfig): Promise<Image> {
  const layers = await Promise.all(layerPaths.map(readLayer));
  const platform = { architecture: ARCHITECTURES[process.arch] ?? process.arch, os: "linux" };
  const configDocument = document("application/vnd.oci.image.config.v1+json", {
    created: CREATED,
    ...platform,
    config,
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map((_layer, index) => ({ created: CREATED, created_by: `lab layer ${index}` })),
  });
  const manifest = document("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: configDocument.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const index = document("application/vnd.oci.image.index.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ ...manifest.descriptor, platform }],
  });
  return { layers, config: configDocument, manifest, index };
}

async function readLayer(path: string): Promise<Layer> {
  const compressed = createHash("sha256");
  const plain = createHash("sha256");
  const source = createReadStream(path);
  source.on("data", (chunk) => compressed.update(chunk));
  await pipeline(source, createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) plain.update(chunk);
  });
  const { size } = await stat(path);
  return {
    descriptor: {
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: `sha256:${compressed.digest("hex")}`,
      size,
    },
    diffId: `sha256:${plain.digest("hex")}`,
    path,
  };
}

function document(mediaType: string, content: object): Document {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}
