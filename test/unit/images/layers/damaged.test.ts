import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { CtlError } from "../../../../services/kit/errors.ts";
import { directory, fifo, file, globalHeader, hardlink, symlink, tar, withChecksum } from "../../../lab/tar.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { extract } from "./tree.ts";

const ROUNDS = 300;
const BLOCK = 512;

describe("extracting damaged layers", () => {
  it("ends well or with an error of ours, stays inside, and keeps nothing open", async function () {
    this.timeout(60_000);
    await using dir = await temporaryDirectory();
    const random = mulberry32(20_240_229);
    const whole = sample();
    const descriptors = (await readdir("/proc/self/fd")).length;
    const reasons = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const root = join(dir.path, `${round}`);
      await mkdir(root);
      const outcome = tryExtract(damage(whole, random), root);
      if (outcome !== undefined) reasons.add(outcome);
    }
    expect(["LAYER_CORRUPT", "LAYER_ESCAPES_ROOT", "LAYER_TOO_LARGE"]).to.include.members([...reasons]);
    expect([...reasons]).to.include("LAYER_CORRUPT");
    expect((await readdir("/proc/self/fd")).length).to.equal(descriptors);
    expect(await readdir(dir.path)).to.have.length(ROUNDS);
  });
});

function tryExtract(archive: Buffer, root: string): string | undefined {
  try {
    extract(archive, root, { maxFileBytes: 1 << 20 });
    return undefined;
  } catch (error) {
    if (error instanceof CtlError) return error.reason;
    throw error;
  }
}

/** A bit of everything that the reader knows. */
function sample(): Buffer {
  const sparse = {
    pax: [
      ["GNU.sparse.size", "5000"],
      ["GNU.sparse.map", "10,3,600,2"],
    ],
  } as const;
  return tar(
    globalHeader(["gid", "5"]),
    directory("a"),
    file("a/b", "content", { mtime: 1.25, xattrs: { "user.x": "y" } }),
    symlink("l", "a"),
    file("l/../l/c", "x".repeat(700)),
    hardlink("h", "a/b"),
    file("holes", "abcde", sparse),
    file("a/.wh.gone"),
    file("a/.wh..wh..opq"),
    fifo("p"),
    { type: "L", path: "././@LongLink", content: `${"long/".repeat(21)}\0` },
    file("short", "z"),
    file("implied/by/this", ""),
    hardlink("m", "missing"),
  );
}

/** Some bytes changed, most often in a header whose checksum is then made right again, so that what it says is used. */
function damage(whole: Buffer, random: () => number): Buffer {
  const archive = Buffer.from(whole.subarray(0, random() < 0.1 ? Math.floor(random() * whole.length) : whole.length));
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    const block = Math.floor((random() * archive.length) / BLOCK) * BLOCK;
    if (block + BLOCK > archive.length) continue;
    const header = archive.subarray(block, block + BLOCK);
    const [field = 0, length = 1] = FIELDS[Math.floor(random() * FIELDS.length)] ?? [];
    for (let bytes = 1 + Math.floor(random() * 4); bytes > 0; bytes--) {
      header[field + Math.floor(random() * length)] = INTERESTING[Math.floor(random() * INTERESTING.length)] ?? 0;
    }
    if (header.toString("latin1", 257, 262) === "ustar") withChecksum(header);
  }
  return archive;
}

/** Name, mode, owner, size, time, type, link, devices, prefix, and where data lies. */
const FIELDS = [
  [0, 20],
  [100, 8],
  [108, 16],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 10],
  [329, 16],
  [345, 10],
  [0, 512],
];
const INTERESTING = [...Buffer.from("\0/./.0123456789SxgLK=,\n \x80\xff-", "latin1")];

/** Seeded: a failure comes again. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
