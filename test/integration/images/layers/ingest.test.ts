import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect } from "chai";
import { hasBlob } from "../../../../services/images/blobs/read.ts";
import { type Digest, digestOf } from "../../../../services/images/digest.ts";
import { DEFAULT_POOL_SETTINGS, ExtractionPool } from "../../../../services/images/layers/extraction-pool.ts";
import {
  finishLayer,
  ingestLayer,
  type LayerIngest,
  type LayerProgress,
} from "../../../../services/images/layers/ingest.ts";
import { makeUnfinished, sweepLayers } from "../../../../services/images/layers/layer-directory.ts";
import { DEFAULT_LAYER_LIMITS } from "../../../../services/images/layers/limits.ts";
import { syncLayers } from "../../../../services/images/layers/sync.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { eventually } from "../../../lab/eventually.ts";
import { rejection } from "../../../lab/rejection.ts";
import { directory, file, hardlink, symlink, tar } from "../../../lab/tar.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const run = promisify(execFile);
const BIG = tar(...Array.from({ length: 200 }, (_, i) => file(`f${i}`, randomBytes(50_000))));

describe("ingesting a layer", () => {
  const compressions: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    gzip: (bytes) => gzipSync(bytes),
    zstd: (bytes) => zstdCompressSync(bytes),
    nothing: (bytes) => bytes,
  };
  for (const [name, compress] of Object.entries(compressions)) {
    it(`stores, verifies and extracts one compressed with ${name}, in one pass`, async () => {
      await using lab = await makeLab();
      const progress: LayerProgress[] = [];
      const archive = tar(directory("d", { mode: 0o700 }), file("d/f", "content"));
      const request = lab.request("a", archive, { bytes: compress(archive), onProgress: (p) => progress.push(p) });
      const layer = await ingestLayer(request, lab.pool, soon());
      expect(layer).to.deep.include({ sizeBytes: 7, entryCount: 2, impliedDirectories: [], missingLinkTargets: [] });
      expect(await readFile(join(request.directory, "d/f"), "utf8")).to.equal("content");
      expect((await stat(request.directory)).mode & 0o7777).to.equal(0o755);
      expect(await hasBlob(lab.blobs, request.descriptor)).to.equal(true);
      const { size } = request.descriptor;
      expect(progress.at(-1)).to.deep.equal({ downloadedBytes: size, extractedBytes: size });
      await syncLayers(lab.layers);
      expect(await lab.leftovers()).to.deep.equal(["a"]);
    });
  }

  it("extracts many layers at the same time, more than there are threads", async () => {
    await using lab = await makeLab();
    const names = Array.from({ length: 30 }, (_, i) => `l${i}`);
    const requests = names.map((name) => lab.request(name, tar(file(name, randomBytes(200_000)))));
    const layers = await Promise.all(requests.map((request) => ingestLayer(request, lab.pool, soon())));
    expect(layers.every(({ sizeBytes }) => sizeBytes === 200_000)).to.equal(true);
    expect(await lab.leftovers()).to.have.members(names);
  });

  it("makes lower directories that overlayfs merges as the image means it", async () => {
    await using lab = await makeLab();
    const archives = [
      tar(
        directory("tmp", { mode: 0o1777 }),
        directory("etc"),
        file("etc/gone", "1"),
        file("etc/passwd", "root"),
        directory("usr"),
        directory("usr/bin"),
        symlink("bin", "usr/bin"),
        directory("cache"),
        file("cache/old", ""),
      ),
      tar(file("etc/.wh.gone"), file("tmp/x", "2"), hardlink("etc/passwd-", "etc/passwd"), file("bin/tool", "3")),
      tar(directory("cache"), file("cache/.wh..wh..opq"), file("cache/new", "")),
    ];
    const directories: string[] = [];
    for (const [index, archive] of archives.entries()) {
      const request = lab.request(`l${index}`, archive);
      const notes = await ingestLayer(request, lab.pool, soon());
      const { limits, xattrs } = request;
      const lowerDirectories = directories.toReversed();
      await finishLayer({ directory: request.directory, lowerDirectories, ...notes, limits, xattrs }, lab.pool, soon());
      directories.push(request.directory);
    }
    await mkdir(join(lab.path, "merged"));
    const script = `mount -t overlay overlay -o ro,lowerdir=${directories.toReversed().join(":")} merged && cd merged &&
      find . | sort && stat -c '%a' tmp && cat etc/passwd- bin/tool`;
    const { stdout } = await run("unshare", ["-m", "sh", "-c", script], { cwd: lab.path });
    expect(stdout.split("\n")).to.deep.equal([
      ".",
      "./bin",
      "./cache",
      "./cache/new",
      "./etc",
      "./etc/passwd",
      "./etc/passwd-",
      "./tmp",
      "./tmp/x",
      "./usr",
      "./usr/bin",
      "./usr/bin/tool",
      "1777",
      "root3",
    ]);
  });

  it("does not keep the compressed bytes where they are the source", async () => {
    await using lab = await makeLab();
    const { blobsRoot: _, ...request } = lab.request("a", tar(file("f", "x")));
    await ingestLayer(request, lab.pool, soon());
    expect(await readdir(lab.path)).to.deep.equal(["l"]);
  });

  describe("leaves nothing behind and says what is wrong with", () => {
    const archive = tar(file("f", randomBytes(300_000)));
    const gzip = gzipSync(archive);
    const flipped = Buffer.from(gzip);
    flipped[flipped.length - 1000] = 255 - (flipped[flipped.length - 1000] ?? 0);
    const escaping = tar(symlink("up", ".."), file("up/x", "x"));
    const bomb = gzipSync(tar(file("zeros", Buffer.alloc(8 << 20))));
    const limits = { ...DEFAULT_LAYER_LIMITS, maxArchiveBytes: 1 << 20 };
    const cases: Readonly<Record<string, readonly [string, string, (request: LayerIngest) => LayerIngest]>> = {
      "bytes that were damaged on their way": [
        "DATA_LOSS",
        "DIGEST_MISMATCH",
        (r) => ({ ...r, source: sent(flipped) }),
      ],
      "bytes that are cut off": [
        "DATA_LOSS",
        "DIGEST_MISMATCH",
        (r) => ({ ...r, source: sent(gzip.subarray(0, 9999)) }),
      ],
      "too many bytes": ["DATA_LOSS", "DIGEST_MISMATCH", (r) => ({ ...r, source: sent(Buffer.concat([gzip, gzip])) })],
      "another archive than its diff id says": [
        "DATA_LOSS",
        "DIGEST_MISMATCH",
        (r) => ({ ...r, diffId: digestOf("x") }),
      ],
      "an archive that was published cut off": [
        "INVALID_ARGUMENT",
        "LAYER_CORRUPT",
        (r) => ({ ...r, ...published(gzipSync(archive.subarray(0, 100_000))) }),
      ],
      "compression that was published cut off": [
        "INVALID_ARGUMENT",
        "LAYER_CORRUPT",
        (r) => ({ ...r, ...published(gzip.subarray(0, 9999)) }),
      ],
      "an archive that escapes": [
        "INVALID_ARGUMENT",
        "LAYER_ESCAPES_ROOT",
        (r) => ({ ...r, ...published(gzipSync(escaping)), diffId: digestOf(escaping) }),
      ],
      "a decompression bomb": ["RESOURCE_EXHAUSTED", "LAYER_TOO_LARGE", (r) => ({ ...r, ...published(bomb), limits })],
      "a compression that nobody uses": [
        "UNIMPLEMENTED",
        "LAYER_COMPRESSION",
        (r) => ({ ...r, ...published(Buffer.from("BZh91AY&SY and so on")) }),
      ],
    };
    for (const [name, [code, reason, change]] of Object.entries(cases)) {
      it(name, async () => {
        await using lab = await makeLab();
        const request = change(lab.request("a", archive, { bytes: gzip }));
        const error = await rejection(ingestLayer(request, lab.pool, soon()));
        expect(error).to.be.instanceOf(CtlError);
        expect(error).to.include({ code, reason });
        expect(await lab.leftovers()).to.deep.equal([]);
        expect(await hasBlob(lab.blobs, request.descriptor)).to.equal(false);
      });
    }

    it("a source that fails, in the source's own words, and at once", async () => {
      await using lab = await makeLab();
      const failure = new CtlError("UNAVAILABLE", { reason: "REGISTRY_UNAVAILABLE", what: "x", why: "y" });
      async function* source() {
        yield gzip.subarray(0, 70_000);
        throw failure;
      }
      const request = { ...lab.request("a", archive, { bytes: gzip }), source };
      expect(await rejection(ingestLayer(request, lab.pool, soon()))).to.equal(failure);
      expect(await lab.leftovers()).to.deep.equal([]);
    });

    it("a caller who leaves, whose source is told", async () => {
      await using lab = await makeLab();
      const caller = new AbortController();
      let sourceSignal: AbortSignal | undefined;
      async function* source(signal: AbortSignal) {
        sourceSignal = signal;
        yield gzip.subarray(0, 70_000);
        caller.abort();
        yield gzip.subarray(70_000, 140_000);
        signal.throwIfAborted();
        throw new Error("it was not told");
      }
      const request = { ...lab.request("a", archive, { bytes: gzip }), source };
      expect(await rejection(ingestLayer(request, lab.pool, caller.signal))).to.include({ code: "CANCELLED" });
      expect(sourceSignal?.aborted).to.equal(true);
      expect(await lab.leftovers()).to.deep.equal([]);
    });

    it("a directory that is there already, which it does not touch", async () => {
      await using lab = await makeLab();
      const request = lab.request("a", archive, { bytes: gzip });
      await mkdir(join(request.directory, "mine"), { recursive: true });
      const error = await rejection(ingestLayer(request, lab.pool, soon()));
      expect(error).to.include({ code: "ALREADY_EXISTS", reason: "LAYER_DIRECTORY_EXISTS" });
      expect(await readdir(request.directory)).to.deep.equal(["mine"]);
    });
  });

  it("does not let a fast network run ahead of a slow disk", async () => {
    await using lab = await makeLab();
    const bytes = gzipSync(BIG, { level: 1 });
    let asked = 0;
    let ahead = 0;
    async function* source() {
      for (; asked < bytes.length; asked += 65_536) yield bytes.subarray(asked, asked + 65_536);
    }
    const onProgress = (p: LayerProgress) => {
      ahead = Math.max(ahead, asked - p.extractedBytes);
    };
    await ingestLayer({ ...lab.request("a", BIG, { bytes, onProgress }), source }, lab.pool, soon());
    expect(bytes.length).to.be.greaterThan(8 << 20);
    expect(ahead).to.be.lessThan(3 << 20);
  });

  it("works on after a thread died, whose layer alone is lost", async () => {
    await using lab = await makeLab({ ...DEFAULT_POOL_SETTINGS, threads: 1 });
    const dying = new ExtractionPool(DEFAULT_POOL_SETTINGS, new URL("data:text/javascript,process.exit(1)"));
    const error = await rejection(ingestLayer(lab.request("a", BIG), dying, soon()));
    expect(error).to.include({ code: "INTERNAL", reason: "EXTRACTION_THREAD_DIED" });
    await dying[Symbol.asyncDispose]();
    await ingestLayer(lab.request("b", BIG), lab.pool, soon());
    expect(await lab.leftovers()).to.deep.equal(["b"]);
  });

  it("waits for its turn, and leaves the queue when its caller leaves", async () => {
    await using lab = await makeLab({ threads: 1, jobs: 1, idleMs: 1_000 });
    const started = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const archive = tar(file("f", "x"));
    async function* slow() {
      started.resolve();
      await goOn.promise;
      yield gzipSync(archive, { level: 1 });
    }
    const first = ingestLayer({ ...lab.request("a", archive), source: slow }, lab.pool, soon());
    await started.promise;
    const caller = new AbortController();
    const second = rejection(ingestLayer(lab.request("b", archive), lab.pool, caller.signal));
    const third = ingestLayer(lab.request("c", archive), lab.pool, soon());
    caller.abort();
    expect(await second).to.include({ code: "CANCELLED" });
    goOn.resolve();
    await Promise.all([first, third]);
    expect(await lab.leftovers()).to.have.members(["a", "c"]);
  });

  it("sweeps what dead extractions left, and nothing that is in work", async () => {
    await using lab = await makeLab();
    await mkdir(join(lab.layers, ".ingest-dead", "a"), { recursive: true });
    await mkdir(join(lab.layers, "kept"));
    await utimes(join(lab.layers, ".ingest-dead"), 1, 1);
    await using _ = await makeUnfinished(join(lab.layers, "b"));
    expect(await sweepLayers(lab.layers, 0)).to.equal(1);
    expect((await readdir(lab.layers)).filter((name) => !name.startsWith(".ingest-"))).to.deep.equal(["kept"]);
    expect(await sweepLayers(lab.layers, 0)).to.equal(0);
  });

  it("ends its threads when there is nothing to do", async () => {
    await using lab = await makeLab({ threads: 2, jobs: 4, idleMs: 20 });
    const before = (await readdir("/proc/self/task")).length;
    await ingestLayer(lab.request("a", tar(file("f", "x"))), lab.pool, soon());
    await eventually(async () => (await readdir("/proc/self/task")).length <= before + 4);
    await ingestLayer(lab.request("b", tar(file("f", "x"))), lab.pool, soon());
  });

  it("says NO_SPACE on a full disk, gives back what it took, and works again once there is room", async () => {
    await using lab = await makeLab();
    const program = join(import.meta.dirname, "no-space.main.ts");
    const script = `mount -t tmpfs -o size=4m,nr_inodes=1000 tmpfs "$0" && exec "$1" "$2" "$0"`;
    const { stdout } = await run("unshare", ["-m", "sh", "-c", script, lab.path, process.execPath, program]);
    expect(JSON.parse(stdout)).to.deep.equal({
      layer: "RESOURCE_EXHAUSTED NO_SPACE",
      blob: "RESOURCE_EXHAUSTED NO_SPACE",
      inodes: "RESOURCE_EXHAUSTED NO_SPACE",
      left: [],
      afterwards: 3_000_000,
    });
  });
});

interface Lab extends AsyncDisposable {
  readonly path: string;
  readonly blobs: string;
  readonly layers: string;
  readonly pool: ExtractionPool;
  request(name: string, archive: Buffer, options?: RequestOptions): LayerIngest;
  /** What is in the layers' directory, hidden things too; the store's own temporaries count. */
  leftovers(): Promise<string[]>;
}

interface RequestOptions {
  readonly bytes?: Buffer;
  readonly onProgress?: (progress: LayerProgress) => void;
}

async function makeLab(settings = DEFAULT_POOL_SETTINGS): Promise<Lab> {
  await using undo = new AsyncDisposableStack();
  const { path } = undo.use(await temporaryDirectory("layers"));
  const pool = undo.use(new ExtractionPool(settings));
  const [blobs, layers] = [join(path, "blobs"), join(path, "l")];
  const owned = undo.move();
  return {
    ...{ path, blobs, layers, pool },
    request: (name, archive, { bytes = gzipSync(archive, { level: 1 }), onProgress } = {}) => ({
      ...published(bytes),
      diffId: digestOf(archive),
      directory: join(layers, name),
      blobsRoot: blobs,
      limits: DEFAULT_LAYER_LIMITS,
      xattrs: "trusted",
      ...(onProgress === undefined ? {} : { onProgress }),
    }),
    leftovers: async () => [
      ...(await readdir(layers).catch(() => [])),
      ...(await readdir(join(blobs, "ingest")).catch(() => [])),
    ],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function published(bytes: Buffer): Pick<LayerIngest, "source" | "descriptor"> {
  const digest: Digest = digestOf(bytes);
  return { source: sent(bytes), descriptor: { mediaType: "lies", digest, size: bytes.length } };
}

function sent(bytes: Buffer): LayerIngest["source"] {
  return async function* () {
    for (let at = 0; at < bytes.length; at += 30_000) yield bytes.subarray(at, at + 30_000);
  };
}

function soon(): AbortSignal {
  return deadline(15_000, "ingest a layer");
}
