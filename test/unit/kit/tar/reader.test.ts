import { execFile } from "node:child_process";
import { symlink as makeSymlink, mkdir, open, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import type { TarEntry } from "../../../../services/kit/tar/entry.ts";
import { TarReader, type TarSink } from "../../../../services/kit/tar/reader.ts";
import {
  directory,
  file,
  globalHeader,
  hardlink,
  header,
  member,
  padded,
  paxRecord,
  symlink,
  tar,
  withChecksum,
} from "../../../lab/tar.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const run = promisify(execFile);

describe("the tar reader", () => {
  it("reads members with all that their headers say", () => {
    const [entry] = read(tar(file("a/b", "hello", { mode: 0o4755, uid: 1000, gid: 100, mtime: 1_700_000_000 })));
    expect(entry).to.deep.include({ kind: "file", path: "a/b", mode: 0o4755, uid: 1000, gid: 100, size: 5 });
    expect(entry).to.deep.include({ mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0, content: "hello" });
  });

  it("reads the same whatever pieces the stream comes in", () => {
    const archive = tar(
      file("a", "x".repeat(1500), { xattrs: { "user.a": "1" } }),
      directory("d/"),
      file("d/e"),
      symlink("s", "target"),
      sparse10("holes", 5000, [[1000, "abc"]]),
    );
    const whole = read(archive);
    expect(whole).to.have.length(5);
    for (const size of [1, 7, 511, 512, 513, 1024]) expect(read(archive, size), `${size}`).to.deep.equal(whole);
  });

  it("lets pax records override the header, an entry's own override global ones, and only for it", () => {
    const archive = tar(
      globalHeader(["uid", "7"], ["gid", "8"]),
      file("short", "", {
        pax: [
          ["path", "long/".repeat(60)],
          ["uid", "9"],
          ["mtime", "1.5"],
        ],
      }),
      file("b", ""),
    );
    const [first, second] = read(archive);
    expect(first).to.deep.include({ path: "long/".repeat(60), uid: 9, gid: 8, mtimeSeconds: 1, mtimeNanoseconds: 5e8 });
    expect(second).to.deep.include({ path: "b", uid: 7, gid: 8 });
  });

  it("keeps times before 1970 and fractions exact", () => {
    const [entry] = read(tar(file("a", "", { pax: [["mtime", "-1.25"]] })));
    expect(entry).to.deep.include({ mtimeSeconds: -2, mtimeNanoseconds: 750_000_000 });
    expect(read(tar(file("a", "", { mtime: -5 })))[0]).to.deep.include({ mtimeSeconds: -5 });
  });

  it("reads extended attributes as bytes", () => {
    const value = Buffer.from([0, 1, 255, 10, 61]);
    const [entry] = read(tar(file("a", "", { xattrs: { "security.capability": value, "user.empty": "" } })));
    expect([...(entry?.xattrs ?? [])]).to.deep.equal([
      ["security.capability", value],
      ["user.empty", Buffer.alloc(0)],
    ]);
  });

  it("keeps names that are no UTF-8", () => {
    const [entry] = read(tar(file(Buffer.from([0x61, 0xff, 0xfe]), "")));
    expect(entry?.path).to.equal("a\u00ff\u00fe");
  });

  it("reads numbers in GNU's base-256", () => {
    expect(read(tar(file("a", "", { uid: 2 ** 31 })))[0]).to.deep.include({ uid: 2 ** 31 });
  });

  it("gives links no content, whatever size they claim", () => {
    const entries = read(tar(file("a", "x"), hardlink("b", "a", { claimedSize: 1 }), file("c", "y")));
    expect(entries.map(({ path, size, content }) => [path, size, content])).to.deep.equal([
      ["a", 1, "x"],
      ["b", 0, ""],
      ["c", 1, "y"],
    ]);
  });

  it("takes V7's files with a trailing slash for directories", () => {
    expect(read(tar({ type: "\0", path: "d/" }))[0]).to.include({ kind: "directory" });
  });

  it("takes an archive without its closing blocks, and ignores what follows them", () => {
    expect(read(member(file("a", "x")))).to.have.length(1);
    expect(read(Buffer.concat([tar(file("a", "x")), Buffer.from("rubbish")]))).to.have.length(1);
    expect(read(Buffer.alloc(1024))).to.deep.equal([]);
    expect(read(Buffer.alloc(0))).to.deep.equal([]);
  });

  it("reads pax's sparse formats 0.0, 0.1 and 1.0", () => {
    const map = (pax: (readonly [string, string])[]) => tar(file("GNUSparseFile.0/a", "abcde", { pax }));
    const archives = [
      map([
        ["GNU.sparse.size", "100"],
        ["GNU.sparse.numblocks", "2"],
        ["GNU.sparse.offset", "10"],
        ["GNU.sparse.numbytes", "3"],
        ["GNU.sparse.offset", "50"],
        ["GNU.sparse.numbytes", "2"],
        ["path", "a"],
      ]),
      map([
        ["GNU.sparse.size", "100"],
        ["GNU.sparse.map", "10,3,50,2"],
        ["GNU.sparse.name", "a"],
      ]),
      tar(
        sparse10("a", 100, [
          [10, "abc"],
          [50, "de"],
        ]),
      ),
    ];
    for (const archive of archives) {
      const [entry] = read(archive);
      expect(entry).to.deep.include({ path: "a", size: 100 });
      expect(entry?.pieces).to.deep.equal([
        [10, "abc"],
        [50, "de"],
      ]);
    }
  });

  describe("what GNU tar writes", () => {
    for (const format of ["v7", "ustar", "oldgnu", "gnu", "pax"]) {
      it(`reads its ${format} format`, async () => {
        await using dir = await temporaryDirectory();
        const source = join(dir.path, "source");
        const deep = format === "v7" ? "d" : `d/${"long-".repeat(15)}`;
        await mkdir(join(source, deep), { recursive: true });
        await writeFile(join(source, deep, "file"), "content");
        await makeSymlink("file", join(source, deep, "link"));
        await run("ln", [join(source, deep, "file"), join(source, deep, "second")]);
        const entries = read(await systemTar(dir.path, source, [`--format=${format}`]));
        const names = entries.map(({ path, kind }) => [path, kind]);
        expect(names).to.deep.include.members([
          ["./", "directory"],
          [`./${deep}/link`, "symlink"],
        ]);
        expect(names.filter(([, kind]) => kind === "file" || kind === "hardlink")).to.have.length(2);
        expect(entries.find(({ kind }) => kind === "file")?.content).to.equal("content");
      });
    }

    it("reads its GNU long names and long links", async () => {
      await using dir = await temporaryDirectory();
      const source = join(dir.path, "source");
      const name = "n".repeat(200);
      await mkdir(source);
      await writeFile(join(source, name), "");
      await makeSymlink("t".repeat(300), join(source, "link"));
      const entries = read(await systemTar(dir.path, source, ["--format=gnu"]));
      expect(entries.map(({ path }) => path)).to.include(`./${name}`);
      expect(entries.find(({ kind }) => kind === "symlink")?.linkTarget).to.equal("t".repeat(300));
    });

    for (const [label, options] of [
      ["GNU", ["--format=gnu"]],
      ["pax 0.0", ["--format=pax", "--sparse-version=0.0"]],
      ["pax 0.1", ["--format=pax", "--sparse-version=0.1"]],
      ["pax 1.0", ["--format=pax", "--sparse-version=1.0"]],
    ] as const) {
      it(`reads its sparse files in the format ${label}, with many holes`, async () => {
        await using dir = await temporaryDirectory();
        const source = join(dir.path, "source");
        await mkdir(source);
        const path = join(source, "holes");
        await writeFile(path, "");
        await truncate(path, 64 << 20);
        {
          await using handle = await open(path, "r+");
          for (let i = 0; i < 40; i++) await handle.write(`piece ${i}`, i * (1 << 20) + 8192);
        }
        const archive = await systemTar(dir.path, source, ["--sparse", "--hole-detection=raw", ...options]);
        expect(archive.length).to.be.lessThan(2 << 20);
        const holes = read(archive, 10_000).find((entry) => entry.path.endsWith("holes"));
        expect(holes?.size).to.equal(64 << 20);
        const original = await readFile(path);
        const rebuilt = Buffer.alloc(64 << 20);
        for (const [offset, bytes] of holes?.pieces ?? []) rebuilt.write(bytes, offset, "latin1");
        expect(rebuilt.equals(original)).to.equal(true);
      });
    }

    it("reads its extended attributes", async () => {
      await using dir = await temporaryDirectory();
      const source = join(dir.path, "source");
      await mkdir(source);
      await writeFile(join(source, "a"), "");
      await run("python3", ["-c", "import os, sys; os.setxattr(sys.argv[1], 'user.x', b'y')", join(source, "a")]);
      const entries = read(await systemTar(dir.path, source, ["--format=pax", "--xattrs"]));
      const entry = entries.find(({ path }) => path === "./a");
      expect(entry?.xattrs.get("user.x")?.toString()).to.equal("y");
    });
  });

  describe("what it refuses", () => {
    const archives: Readonly<Record<string, () => Buffer>> = {
      "a header with a wrong checksum": () => {
        const archive = tar(file("a", "x"));
        archive[0] = 0x62;
        return archive;
      },
      "random bytes": () => Buffer.alloc(2048, 0x41),
      "an archive that ends in a header": () => tar(file("a")).subarray(0, 300),
      "an archive that ends in a file": () => tar(file("a", "x".repeat(1000))).subarray(0, 1000),
      "an extended header that nothing follows": () => member(file("a", "", { mtime: 1.5 })).subarray(0, 1024),
      "a header after a single zero block": () => Buffer.concat([Buffer.alloc(512), tar(file("a"))]),
      "a type that no layer has": () => tar({ type: "M", path: "a" }),
      "a negative size": () => tar({ type: "0", path: "a", claimedSize: -1 }),
      "a size beyond all numbers": () => {
        const block = header({ type: "0", path: "a" }, 0);
        block.fill(0x7f, 124, 136);
        block[124] = 0x80;
        return withChecksum(block);
      },
      "a number that is not octal": () => {
        const block = header({ type: "0", path: "a" }, 0);
        block.write("99999999999", 124);
        return withChecksum(block);
      },
      "an extended header of gigabytes": () => header({ type: "x", path: "pax", claimedSize: 2 ** 31 }, 0),
      "a long name of gigabytes": () => header({ type: "L", path: "x", claimedSize: 2 ** 31 }, 0),
      "a pax record longer than its header": () => pax(Buffer.from("99 path=a\n")),
      "a pax record without a key": () => pax(Buffer.from("5 =a\n")),
      "a pax record with a NUL in a path": () => pax(paxRecord(["path", "a\0b"])),
      "a pax size that is no number": () => pax(paxRecord(["size", "1e9"])),
      "too many global records": () =>
        tar(globalHeader(...Array.from({ length: 1001 }, (_, i) => [`k${i}`, "v"] as const)), file("a")),
      "sparse segments that overlap": () =>
        tar(
          sparse10("a", 100, [
            [10, "abc"],
            [11, "abc"],
          ]),
        ),
      "a sparse segment beyond the file": () => tar(sparse10("a", 5, [[10, "abc"]])),
      "a sparse map that promises more than there is": () =>
        tar(
          file("a", "", {
            pax: [
              ["GNU.sparse.size", "100"],
              ["GNU.sparse.map", "0,50"],
            ],
          }),
        ),
      "a sparse map without end": () =>
        tar(file("a", Buffer.alloc(5 << 20, 0x31), { pax: [...SPARSE_1, ["GNU.sparse.realsize", "100"]] })),
      "a sparse map of a billion segments": () =>
        tar(file("a", "1000000000\n", { pax: [...SPARSE_1, ["GNU.sparse.realsize", "100"]] })),
    };
    for (const [name, archive] of Object.entries(archives)) {
      it(name, () => {
        expect(() => read(archive()))
          .to.throw()
          .that.includes({ code: "INVALID_ARGUMENT", reason: "LAYER_CORRUPT" });
      });
    }
  });
});

const SPARSE_1 = [
  ["GNU.sparse.major", "1"],
  ["GNU.sparse.minor", "0"],
] as const;

interface ReadEntry extends TarEntry {
  content: string;
  pieces: [offset: number, bytes: string][];
}

/** Everything in an archive, pushed in pieces of `size` bytes; adjacent pieces of a file are joined. */
function read(archive: Buffer, size = archive.length): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let open = false;
  const sink: TarSink = {
    entry: (entry) => {
      expect(open, "entry inside an entry").to.equal(false);
      open = true;
      entries.push({ ...entry, content: "", pieces: [] });
    },
    data: (chunk, offset) => {
      const entry = entries.at(-1);
      const bytes = Buffer.from(chunk).toString("latin1");
      const last = entry?.pieces.at(-1);
      if (last !== undefined && last[0] + last[1].length === offset) last[1] += bytes;
      else entry?.pieces.push([offset, bytes]);
      if (entry !== undefined) entry.content += bytes;
    },
    end: () => {
      open = false;
    },
  };
  const reader = new TarReader(sink);
  for (let at = 0; at < archive.length; at += size) {
    const piece = Buffer.from(archive.subarray(at, at + size));
    reader.push(piece);
    piece.fill(0xee); // the reader must not keep what it was lent
  }
  reader.finish();
  return entries;
}

function pax(records: Buffer): Buffer {
  return Buffer.concat([header({ type: "x", path: "pax" }, records.length), padded(records), tar(file("a"))]);
}

function sparse10(path: string, realSize: number, pieces: readonly (readonly [number, string])[]) {
  const numbers = [pieces.length, ...pieces.flatMap(([offset, bytes]) => [offset, bytes.length])];
  const map = padded(Buffer.from(numbers.map((n) => `${n}\n`).join("")));
  return file("GNUSparseFile.0/x", Buffer.concat([map, Buffer.from(pieces.map(([, bytes]) => bytes).join(""))]), {
    pax: [...SPARSE_1, ["GNU.sparse.name", path], ["GNU.sparse.realsize", String(realSize)]],
  });
}

async function systemTar(work: string, source: string, options: readonly string[]): Promise<Buffer> {
  const archive = join(work, "archive.tar");
  await run("tar", ["-cf", archive, "-C", source, ...options, "."]);
  return await readFile(archive);
}
