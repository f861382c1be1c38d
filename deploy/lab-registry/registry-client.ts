import { openAsBlob } from "node:fs";
import { CtlError } from "../../services/kit/errors.ts";
import type { Descriptor, Image } from "./image.ts";

/** The pushing half of the OCI distribution API (distribution-spec, "Push"), without authentication: for a lab. */
export class RegistryClient {
  readonly #url: string;

  /** @param url `http://127.0.0.1:5000` */
  constructor(url: string) {
    this.#url = url;
  }

  /** Blobs that are there already are not sent again; pushing the same image twice changes nothing. */
  async push(repository: string, tags: readonly string[], image: Image, signal: AbortSignal): Promise<void> {
    for (const layer of image.layers) {
      await this.#pushBlob(repository, layer.descriptor, () => openAsBlob(layer.path), signal);
    }
    const { config, manifest, index } = image;
    await this.#pushBlob(repository, config.descriptor, async () => blobOf(config.bytes), signal);
    await this.putManifest(
      repository,
      manifest.descriptor.digest,
      manifest.descriptor.mediaType,
      manifest.bytes,
      signal,
    );
    for (const tag of tags) {
      await this.putManifest(repository, tag, index.descriptor.mediaType, index.bytes, signal);
    }
  }

  async putManifest(
    repository: string,
    reference: string,
    mediaType: string,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `/v2/${repository}/manifests/${reference}`;
    await this.#send("PUT", path, { body: blobOf(bytes), headers: { "content-type": mediaType }, signal });
  }

  async #pushBlob(
    repository: string,
    descriptor: Descriptor,
    open: () => Promise<Blob>,
    signal: AbortSignal,
  ): Promise<void> {
    const existing = await fetch(`${this.#url}/v2/${repository}/blobs/${descriptor.digest}`, {
      method: "HEAD",
      signal,
    });
    if (existing.ok) return;
    const started = await this.#send("POST", `/v2/${repository}/blobs/uploads/`, { signal });
    const upload = new URL(started.headers.get("location") ?? "", this.#url);
    upload.searchParams.set("digest", descriptor.digest);
    const headers = { "content-type": "application/octet-stream" };
    await this.#send("PUT", upload.href, { body: await open(), headers, signal });
  }

  async #send(method: string, path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(new URL(path, this.#url), { ...init, method });
    const text = await response.text(); // also what frees the connection
    if (response.ok) return response;
    throw new CtlError("UNAVAILABLE", {
      reason: "LAB_REGISTRY_REFUSED",
      what: `push to ${this.#url}`,
      why: `${method} ${path} was answered with ${response.status} ${text.slice(0, 300)}`,
      fix: "look at the lab registry's log",
    });
  }
}

function blobOf(bytes: Buffer): Blob {
  return new Blob([new Uint8Array(bytes)]);
}
