import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { TarEntry } from "../../../../services/kit/tar/entry.ts";
import { TarReader } from "../../../../services/kit/tar/reader.ts";
import type { SparseSegment } from "../../../../services/kit/tar/sparse.ts";
import { ARCHIVE_END, paddingAfter, tarHead } from "../../../../services/kit/tar/writer.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

describe("the tar writer", () => {
  it("writes a small file in a header and a block, without an extended header", () => {
    expect(tarHead(entry({ size: 5 }))).to.have.length(512);
    expect(written(entry({ size: 5 }), Buffer.from("hello"))).to.have.length(2048);
  });

  it("says all of an entry that the reader reads, whatever does not fit into ustar", () => {
    const odd = [
      entry({ kind: "directory", path: `${"long/".repeat(60)}d\xff/`, mode: 0o1777 }),
      entry({ kind: "symlink", path: "l", linkTarget: "x".repeat(200), mode: 0o777 }),
      entry({ kind: "hardlink", path: "h", linkTarget: "l" }),
      entry({ kind: "character-device", path: "null", deviceMajor: 1, deviceMinor: 3 }),
      entry({ kind: "fifo", path: "pipe", uid: 3_000_000, gid: 4_000_000_000 }),
      entry({ path: "old", mtimeSeconds: -3, mtimeNanoseconds: 250_000_000 }),
      entry({ path: "caps", mode: 0o4755, xattrs: new Map([["security.capability", Buffer.from([1, 0, 255, 10])]]) }),
    ];
    const { entries } = read(Buffer.concat([...odd.map((one) => tarHead(one)), ARCHIVE_END]));
    expect(entries).to.deep.equal(odd);
  });

  it("writes only what a file with holes holds, and GNU tar makes the holes again", async () => {
    await using directory = await temporaryDirectory();
    const size = 40 << 20;
    const segments = [
      { offset: 1 << 20, length: 4 },
      { offset: size - 4, length: 4 },
    ];
    const archive = written(entry({ path: "holes", size }), Buffer.from("headtail"), segments);
    expect(archive.length).to.be.below(10_000);
    await writeFile(join(directory.path, "a.tar"), archive);
    execFileSync("tar", ["-xf", "a.tar"], { cwd: directory.path });
    const blocks = Number(execFileSync("stat", ["-c", "%b", "holes"], { cwd: directory.path }).toString());
    expect(blocks).to.be.below(1000);
    const { data } = read(archive);
    expect(data).to.deep.equal([
      [1 << 20, "head"],
      [size - 4, "tail"],
    ]);
  });
});

function entry(of: Partial<TarEntry>): TarEntry {
  return {
    kind: "file",
    path: "f",
    linkTarget: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeSeconds: 1_700_000_000,
    mtimeNanoseconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    ...of,
  };
}

function written(one: TarEntry, content: Buffer, segments?: readonly SparseSegment[]): Buffer {
  return Buffer.concat([tarHead(one, segments), content, paddingAfter(content.length), ARCHIVE_END]);
}

function read(archive: Buffer) {
  const entries: TarEntry[] = [];
  const data: [number, string][] = [];
  const reader = new TarReader({
    entry: (one) => entries.push(one),
    data: (chunk, offset) => data.push([offset, Buffer.from(chunk).toString("latin1")]),
    end: () => {},
  });
  reader.push(archive);
  reader.finish();
  return { entries, data };
}
