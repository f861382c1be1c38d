import { lstat, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { finishExtracted } from "../../../../services/images/layers/finish.ts";
import { DEFAULT_LAYER_LIMITS } from "../../../../services/images/layers/limits.ts";
import { loadFileCalls } from "../../../../services/kit/linux/file-calls.ts";
import { characterDevice, directory, fifo, file, hardlink, symlink, type TarMember, tar } from "../../../lab/tar.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { extract, tree } from "./tree.ts";
import { readXattrs } from "./xattrs.ts";

describe("finishing a layer on the ones below", () => {
  it("gives implied directories what theirs have: a /tmp stays 1777", async () => {
    await using image = await stack(
      [
        directory("tmp", { mode: 0o1777, uid: 1, gid: 2, mtime: 1_000_000_000, xattrs: { "user.a": "b" } }),
        directory("tmp/d", { mode: 0o700, mtime: 1_100_000_000 }),
      ],
      [file("tmp/d/x", "1")],
    );
    expect(await tree(image.top)).to.deep.equal([
      "d 1777 1:2 tmp {user.a=b}",
      "d 700 0:0 tmp/d",
      'f 644 0:0 tmp/d/x "1"',
    ]);
    expect((await stat(join(image.top, "tmp"))).mtimeMs).to.equal(1_000_000_000_000);
    expect((await stat(join(image.top, "tmp/d"))).mtimeMs).to.equal(1_100_000_000_000);
  });

  it("takes them from the uppermost layer that has one, through whiteouts and opaque directories", async () => {
    await using image = await stack(
      [
        directory("a", { mode: 0o701 }),
        directory("b", { mode: 0o701 }),
        directory("c"),
        directory("c/d", { mode: 0o701 }),
      ],
      [directory("a", { mode: 0o702 }), file(".wh.b"), directory("c"), file("c/.wh..wh..opq")],
      [file("a/x"), file("b/x"), file("c/d/x")],
    );
    expect((await tree(image.top)).filter((line) => line.startsWith("d"))).to.deep.equal([
      "d 702 0:0 a",
      "d 755 0:0 b",
      "d 755 0:0 c",
      "d 755 0:0 c/d",
    ]);
  });

  it("keeps its own opaque mark while it takes attributes", async () => {
    await using image = await stack([directory("d", { mode: 0o700 })], [file("d/.wh..wh..opq")]);
    expect(await tree(image.top)).to.deep.equal(["d 700 0:0 d {trusted.overlay.opaque=y}"]);
  });

  it("copies a missing link's target up with all that it is, and links it", async () => {
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    await using image = await stack(
      [
        directory("bin", { mode: 0o711, mtime: 1_000_000_000 }),
        file("bin/su", "su", {
          mode: 0o4755,
          uid: 5,
          mtime: 1_000_000_001,
          xattrs: { "security.capability": capability },
        }),
      ],
      [directory("opt", { mtime: 1_000_000_002 }), hardlink("opt/su", "bin/su"), hardlink("opt/again", "opt/su")],
    );
    const capabilityText = capability.toString("latin1");
    expect((await tree(image.top)).map((line) => line.replace(capabilityText, "…"))).to.deep.equal([
      "d 711 0:0 bin",
      'f 4755 5:0 bin/su "su" {security.capability=…}',
      "d 755 0:0 opt",
      'f 4755 5:0 opt/again "su" {security.capability=…}',
      'f 4755 5:0 opt/su "su" {security.capability=…}',
    ]);
    const inodes = await Promise.all(["bin/su", "opt/su", "opt/again"].map((name) => stat(join(image.top, name))));
    expect(new Set(inodes.map(({ ino }) => ino)).size).to.equal(1);
    const times = await Promise.all(["bin", "bin/su", "opt"].map((name) => stat(join(image.top, name))));
    expect(times.map(({ mtimeMs }) => mtimeMs)).to.deep.equal([
      1_000_000_000_000, 1_000_000_001_000, 1_000_000_002_000,
    ]);
    expect(image.addedBytes).to.equal(2);
  });

  it("links to symlinks, fifos and devices of lower layers too", async () => {
    await using image = await stack(
      [symlink("l", "nowhere"), fifo("p", { mode: 0o600 }), characterDevice("c", 1, 3, { mode: 0o666 })],
      [hardlink("l2", "l"), hardlink("p2", "p"), hardlink("c2", "c")],
    );
    expect(await tree(image.top)).to.deep.equal([
      "c 666 0:0 c 1:3",
      "c 666 0:0 c2 1:3",
      "l l -> nowhere",
      "l l2 -> nowhere",
      "p 600 0:0 p",
      "p 600 0:0 p2",
    ]);
  });

  it("does not bring back a name that the layer hides", async () => {
    await using image = await stack([file("a", "x")], [file(".wh.a"), hardlink("b", "a")]);
    expect(await tree(image.top)).to.deep.equal(["c 0 0:0 a 0:0", 'f 644 0:0 b "x"']);
  });

  it("puts entries where a symlink of the layers below leads", async () => {
    await using image = await stack(
      [
        directory("usr", { mode: 0o711, mtime: 1_000_000_000 }),
        directory("usr/bin", { mode: 0o750 }),
        directory("usr/bin/sub", { mode: 0o700 }),
        symlink("bin", "usr/bin"),
        symlink("absolute", "/usr/bin"),
      ],
      [file("bin/a", "1"), file("bin/sub/b", "2"), file("absolute/c", "3"), hardlink("bin/d", "bin/a")],
    );
    expect(await tree(image.top)).to.deep.equal([
      "d 711 0:0 usr",
      "d 750 0:0 usr/bin",
      'f 644 0:0 usr/bin/a "1"',
      'f 644 0:0 usr/bin/c "3"',
      'f 644 0:0 usr/bin/d "1"',
      "d 700 0:0 usr/bin/sub",
      'f 644 0:0 usr/bin/sub/b "2"',
    ]);
    expect((await stat(join(image.top, "usr"))).mtimeMs).to.equal(1_000_000_000_000);
  });

  it("merges what came by the symlink with what came by its target", async () => {
    await using image = await stack(
      [directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib")],
      [directory("usr"), directory("usr/lib"), directory("usr/lib/d"), file("usr/lib/d/a", "1"), file("lib/d/b", "2")],
    );
    expect((await tree(image.top)).filter((line) => line.startsWith("f"))).to.deep.equal([
      'f 644 0:0 usr/lib/d/a "1"',
      'f 644 0:0 usr/lib/d/b "2"',
    ]);
    expect(await readdir(image.top)).to.deep.equal(["usr"]);
  });

  it("never follows a lower layer's symlink to the host", async () => {
    await using dir = await temporaryDirectory();
    const outside = join(dir.path, "outside");
    await mkdir(outside, { mode: 0o700 });
    await using image = await stack(
      [symlink("out", outside), symlink("up", "../../../../../../../etc")],
      [file("out/x", "1"), file("up/y", "2")],
    );
    expect(await readdir(outside)).to.deep.equal([]);
    expect((await tree(image.top)).filter((line) => line.startsWith("f"))).to.deep.equal([
      'f 644 0:0 out/x "1"',
      'f 644 0:0 up/y "2"',
    ]);
    expect((await lstat(join(image.top, "out"))).mode & 0o777).to.equal(0o755);
  });

  it("leaves alone what no lower layer has", async () => {
    await using image = await stack([directory("a")], [file("b/c/d", "1")]);
    expect(await tree(image.top)).to.deep.equal(["d 755 0:0 b", "d 755 0:0 b/c", 'f 644 0:0 b/c/d "1"']);
    expect(readXattrs(join(image.top, "b")).size).to.equal(0);
  });

  const broken: Readonly<Record<string, readonly [readonly TarMember[], readonly TarMember[]]>> = {
    "whose target is in no layer": [[file("a")], [hardlink("b", "nowhere")]],
    "whose target a layer between has removed": [[], [hardlink("b", "removed")]],
    "to a directory below": [[directory("d")], [hardlink("b", "d")]],
  };
  for (const [name, [lower, top]] of Object.entries(broken)) {
    it(`refuses a hard link ${name}`, async () => {
      let error: unknown;
      try {
        await using _ = await stack([file("removed")], [file(".wh.removed"), ...lower], top);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "LAYER_CORRUPT" });
    });
  }
});

interface Stack extends AsyncDisposable {
  readonly top: string;
  readonly addedBytes: number;
}

/** Layers extracted each for itself, lowest first, the uppermost finished on the others. */
async function stack(...layers: readonly (readonly TarMember[])[]): Promise<Stack> {
  const dir: TemporaryDirectory = await temporaryDirectory();
  await using undo = new AsyncDisposableStack();
  undo.use(dir);
  const directories: string[] = [];
  let addedBytes = 0;
  for (const [index, members] of layers.entries()) {
    const path = join(dir.path, `${index}`);
    await mkdir(path);
    const { impliedDirectories, missingLinkTargets } = extract(tar(...members), path);
    const lowerDirectories = directories.toReversed();
    const notes = { impliedDirectories, missingLinkTargets };
    const place = { directory: path, limits: DEFAULT_LAYER_LIMITS, xattrs: "trusted" } as const;
    ({ addedBytes } = finishExtracted({ kind: "finish", lowerDirectories, ...notes, ...place }, loadFileCalls()));
    directories.push(path);
  }
  const owned = undo.move();
  return { top: directories.at(-1) ?? "", addedBytes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
