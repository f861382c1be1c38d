import { expect } from "chai";
import { digestOf } from "../../../services/images/digest.ts";
import { pairLayers, parseImageConfig } from "../../../services/images/image-config.ts";
import {
  DOCKER_CONFIG,
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  MAX_MANIFEST_BYTES,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  parseManifest,
} from "../../../services/images/manifest.ts";

const DIGEST = digestOf("x");
const CONFIG = { mediaType: OCI_CONFIG, digest: DIGEST, size: 10 };
const LAYER = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: DIGEST, size: 20 };
const IMAGE = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: CONFIG, layers: [LAYER] };

describe("manifests", () => {
  it("reads OCI's and Docker's image manifests", () => {
    const docker = { ...IMAGE, mediaType: DOCKER_MANIFEST, config: { ...CONFIG, mediaType: DOCKER_CONFIG } };
    for (const document of [IMAGE, docker]) {
      const manifest = parse(document);
      expect(manifest).to.deep.include({ kind: "image", mediaType: document.mediaType, layers: [LAYER] });
    }
  });

  it("reads OCI's and Docker's indexes, with normalised platforms", () => {
    const entry = {
      mediaType: OCI_MANIFEST,
      digest: DIGEST,
      size: 1,
      platform: { os: "linux", architecture: "aarch64" },
    };
    for (const mediaType of [OCI_INDEX, DOCKER_INDEX]) {
      expect(parse({ schemaVersion: 2, mediaType, manifests: [entry, { ...entry, platform: null }] })).to.deep.equal({
        kind: "index",
        mediaType,
        manifests: [
          { ...entry, platform: { os: "linux", architecture: "arm64", variant: undefined }, annotations: {} },
          { ...entry, platform: undefined, annotations: {} },
        ],
      });
    }
  });

  it("takes the registry's word for the type only where the document has none", () => {
    const { mediaType: _, ...untyped } = IMAGE;
    expect(parse(untyped, `${OCI_MANIFEST}; charset=utf-8`)).to.include({ kind: "image", mediaType: OCI_MANIFEST });
    expect(parse(untyped, undefined)).to.include({ kind: "image", mediaType: OCI_MANIFEST });
    expect(parse(IMAGE, OCI_INDEX)).to.include({ kind: "image" });
  });

  it("refuses a document that can be read as two types", () => {
    refused({ ...IMAGE, manifests: [] }, "MANIFEST_INVALID");
    refused({ schemaVersion: 2, mediaType: OCI_MANIFEST, manifests: [] }, "MANIFEST_INVALID");
    refused({ ...IMAGE, mediaType: OCI_INDEX }, "MANIFEST_INVALID");
  });

  it("refuses schema 1 in words that help", () => {
    const signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    expect(() => parse({ schemaVersion: 1, name: "x", fsLayers: [] }))
      .to.throw("manifest schema 1")
      .that.includes({ code: "UNIMPLEMENTED", reason: "MANIFEST_SCHEMA1" });
    expect(() => parse({ name: "x" }, signed))
      .to.throw()
      .that.includes({ reason: "MANIFEST_SCHEMA1" });
  });

  it("refuses artifacts that are no images", () => {
    const chart = { ...CONFIG, mediaType: "application/vnd.cncf.helm.config.v1+json" };
    refused({ ...IMAGE, config: chart }, "NOT_AN_IMAGE");
  });

  it("refuses malformed documents, saying where", () => {
    refused({ ...IMAGE, layers: [{ ...LAYER, digest: "sha256:../../etc" }] }, "MANIFEST_INVALID");
    refused({ ...IMAGE, layers: [{ ...LAYER, size: -1 }] }, "MANIFEST_INVALID");
    refused({ ...IMAGE, layers: [{ ...LAYER, size: 1.5 }] }, "MANIFEST_INVALID");
    refused({ ...IMAGE, layers: Array(1001).fill(LAYER) }, "MANIFEST_INVALID");
    refused({ ...IMAGE, layers: "x" }, "MANIFEST_INVALID");
    expect(() => parse({ ...IMAGE, layers: [{ ...LAYER, size: -1 }] })).to.throw("layers.0.size");
  });

  it("refuses what is no JSON object of at most 4 MiB", () => {
    for (const bytes of [
      "",
      "[]",
      "null",
      "{",
      Buffer.from([0xff, 0xfe]),
      Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20),
    ]) {
      expect(() => parseManifest(Buffer.from(bytes), OCI_MANIFEST, "x"))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "MANIFEST_INVALID" });
    }
  });
});

describe("image configurations", () => {
  const document = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [DIGEST] } };

  it("fills in what is left out or null, as Docker writes it", () => {
    const bare = parseConfig({ ...document, config: { Env: null, Cmd: null, ExposedPorts: null, Labels: null } });
    expect(bare).to.deep.include({ env: [], command: undefined, entrypoint: undefined, exposedPorts: [], labels: {} });
    expect(parseConfig(document)).to.deep.equal(bare);
  });

  it("reads what a container is started with", () => {
    const config = parseConfig({
      ...document,
      config: {
        User: "www:www",
        Env: ["A=b"],
        Entrypoint: ["/e"],
        Cmd: [],
        ExposedPorts: { "80/tcp": {} },
        Volumes: { "/data": {} },
        WorkingDir: "/w",
        StopSignal: "SIGQUIT",
        Healthcheck: { Test: ["CMD", "true"], Interval: 5e9 },
      },
      history: [{ created_by: "RUN x", empty_layer: true }],
    });
    expect(config).to.deep.include({
      user: "www:www",
      env: ["A=b"],
      entrypoint: ["/e"],
      command: [],
      exposedPorts: ["80/tcp"],
      volumes: ["/data"],
      workingDirectory: "/w",
      stopSignal: "SIGQUIT",
    });
    expect(config.healthcheck).to.deep.include({ test: ["CMD", "true"], intervalNs: 5e9, retries: undefined });
    expect(config.history[0]).to.deep.include({ createdBy: "RUN x", isEmptyLayer: true });
  });

  it("pairs layers with diff ids, or refuses the image", () => {
    const manifest = parse(IMAGE);
    if (manifest.kind !== "image") throw new Error("not an image");
    expect(pairLayers(manifest, parseConfig(document), "x")).to.deep.equal([{ blob: LAYER, diffId: DIGEST }]);
    const empty = parseConfig({ ...document, rootfs: { type: "layers", diff_ids: [] } });
    expect(() => pairLayers(manifest, empty, "x")).to.throw("1 layers and 0 diff ids");
  });

  it("refuses one whose diff ids are none", () => {
    expect(() => parseConfig({ ...document, rootfs: { type: "layers", diff_ids: ["x"] } }))
      .to.throw("rootfs.diff_ids.0")
      .that.includes({ code: "INVALID_ARGUMENT", reason: "MANIFEST_INVALID" });
  });
});

function parse(document: object, contentType?: string) {
  return parseManifest(Buffer.from(JSON.stringify(document)), contentType, "nginx:latest");
}

function parseConfig(document: object) {
  return parseImageConfig(Buffer.from(JSON.stringify(document)), "nginx:latest");
}

function refused(document: object, reason: string): void {
  expect(() => parse(document))
    .to.throw()
    .that.includes({ code: "INVALID_ARGUMENT", reason });
}
