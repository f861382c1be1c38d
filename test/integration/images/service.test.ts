import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { collectBlobs, collectLayers } from "../../../services/images/collect.ts";
import { ExtractionPool } from "../../../services/images/layers/extraction-pool.ts";
import { acquire, release, undoAcquire } from "../../../services/images/leases.ts";
import { listImages } from "../../../services/images/list.ts";
import { imagePaths } from "../../../services/images/paths.ts";
import { type LayerPhase, pull, wantedPlatform } from "../../../services/images/pull.ts";
import { reconcile } from "../../../services/images/reconcile.ts";
import { parseReference } from "../../../services/images/reference.ts";
import { RegistryClient } from "../../../services/images/registry/client.ts";
import { noCredentials } from "../../../services/images/registry/credentials.ts";
import { removeImage } from "../../../services/images/remove.ts";
import { reserveLayer } from "../../../services/images/store/layers.ts";
import { tagImage } from "../../../services/images/tag.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { createLog } from "../../../services/kit/telemetry/log.ts";
import { testDatabase } from "../../lab/postgres.ts";
import { type TestRegistry, testRegistry } from "../../lab/registry.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

describe("the images service", () => {
  let registry: TestRegistry;
  before(async () => {
    registry = await testRegistry();
    await registry.pushBusybox();
  });
  after(() => registry[Symbol.asyncDispose]());

  it("pulls an image whole: tag, digest, configuration, and its layers as directories", async () => {
    await using lab = await imagesLab(registry);
    const phases: LayerPhase[] = [];
    const { row, changed } = await lab.pull("library/busybox", (phase) => phases.push(phase));
    expect(changed).to.equal(true);
    expect(row.tags).to.deep.equal([`${registry.address}/library/busybox:latest`]);
    expect(row.repo_digests).to.have.lengthOf(1);
    expect(phases[0]).to.equal("downloading");
    expect(phases.at(-1)).to.equal("done");
    const { layers } = await acquire(lab.db, "node", lab.name("library/busybox"), holder("c1", "op1"));
    expect(await readdir(join(lab.paths.layers, layers[0] ?? ""))).to.include("bin");
    expect(Number(row.size_bytes)).to.be.greaterThan(100_000);
  });

  it("pulled again it has nothing to do, and says so", async () => {
    await using lab = await imagesLab(registry);
    await lab.pull("library/busybox");
    const phases: LayerPhase[] = [];
    const { changed } = await lab.pull("library/busybox", (phase) => phases.push(phase));
    expect(changed).to.equal(false);
    expect(new Set(phases)).to.deep.equal(new Set(["exists"]));
  });

  it("pulls the same image twice at once into one set of layers", async () => {
    await using lab = await imagesLab(registry);
    await Promise.all([lab.pull("library/busybox"), lab.pull("library/busybox")]);
    expect((await readdir(lab.paths.layers)).length).to.equal(1);
  });

  it("never deletes what is leased, and deletes all of it afterwards", async () => {
    await using lab = await imagesLab(registry);
    await lab.pull("library/busybox");
    const name = lab.name("library/busybox");
    await acquire(lab.db, "node", name, holder("c1", "op1"));
    expect(await rejection(removeImage(lab.db, name, false))).to.include({ reason: "IMAGE_IN_USE" });
    expect(await collectLayers(lab.db, "node", lab.paths)).to.equal(0);
    await release(lab.db, "c1");
    const removal = await removeImage(lab.db, name, false);
    expect(removal.deleted).to.have.lengthOf(1);
    expect(await collectLayers(lab.db, "node", lab.paths)).to.equal(1);
    await collectBlobs(lab.db, lab.paths, 0);
    expect(await readdir(lab.paths.layers)).to.deep.equal([]);
    expect(await readdir(join(lab.paths.blobs, "sha256"))).to.deep.equal([]);
  });

  it("takes back only what the same operation leased", async () => {
    await using lab = await imagesLab(registry);
    await lab.pull("library/busybox");
    const name = lab.name("library/busybox");
    await acquire(lab.db, "node", name, holder("c1", "first"));
    await acquire(lab.db, "node", name, holder("c1", "second"));
    await undoAcquire(lab.db, holder("c1", "second"));
    expect((await listImages(lab.db, []))[0]?.lease_count).to.equal(1);
    expect(await rejection(acquire(lab.db, "node", name, holder("c1", "second")))).to.include({
      reason: "OPERATION_UNDONE",
    });
  });

  it("keeps an image until its last name is gone", async () => {
    await using lab = await imagesLab(registry);
    await lab.pull("library/busybox");
    const name = lab.name("library/busybox");
    await tagImage(lab.db, name, "tool:1");
    expect((await removeImage(lab.db, name, false)).deleted).to.deep.equal([]);
    const [row] = await listImages(lab.db, [{ key: "reference", values: ["too*"] }]);
    expect(row?.tags).to.deep.equal(["docker.io/library/tool:1"]);
    expect((await removeImage(lab.db, "tool:1", false)).deleted).to.have.lengthOf(1);
  });

  it("refuses an image that nobody has, naming it", async () => {
    await using lab = await imagesLab(registry);
    const error = await rejection(lab.pull("library/nothing"));
    expect(error).to.include({ code: "NOT_FOUND", reason: "IMAGE_NOT_FOUND" });
    expect(await readdir(lab.paths.layers)).to.deep.equal([]);
  });

  it("removes what a pull that died was filling", async () => {
    await using lab = await imagesLab(registry);
    const name = await reserveLayer(lab.db, "node", "sha256:abc", "12345");
    await lab.makeLayerDirectory(name);
    await lab.makeLayerDirectory("stray");
    await reconcile({ db: lab.db, node: "node", paths: lab.paths, log: createLog("test", "error") });
    expect(await readdir(lab.paths.layers)).to.deep.equal([]);
  });
});

async function imagesLab(registry: TestRegistry) {
  await using undo = new AsyncDisposableStack();
  const database = undo.use(await testDatabase("images"));
  const directory = undo.use(await temporaryDirectory("images"));
  const pool = undo.use(new ExtractionPool());
  const client = undo.use(new RegistryClient());
  const paths = imagePaths(directory.path);
  await mkdir(paths.layers, { recursive: true });
  const deps = { db: database.db, node: "node", paths, pool };
  const name = (repository: string) => `${registry.address}/${repository}:latest`;
  const owned = undo.move();
  return {
    db: database.db,
    paths,
    name,
    makeLayerDirectory: (layer: string) => mkdir(join(paths.layers, layer)),
    pull: async (repository: string, onPhase: (phase: LayerPhase) => void = () => {}) => {
      const signal = deadline(20_000, "pull");
      const reference = parseReference(name(repository));
      const remote = await client.repository(reference, noCredentials(), signal);
      const observer = { onStarted: () => {}, onLayer: (_digest: string, phase: LayerPhase) => onPhase(phase) };
      return pull(reference, wantedPlatform(undefined), remote, deps, observer, signal);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function holder(name: string, operation: string) {
  return { holder: name, operation };
}
