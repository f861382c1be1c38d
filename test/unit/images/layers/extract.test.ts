import { lstat, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  blockDevice,
  characterDevice,
  directory,
  fifo,
  file,
  hardlink,
  symlink,
  type TarMember,
  tar,
} from "../../../lab/tar.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { extract, tree } from "./tree.ts";
import { readXattrs } from "./xattrs.ts";

describe("extracting a layer", () => {
  it("makes what the archive says: owners, modes with setuid, links, devices", async () => {
    await using dir = await temporaryDirectory();
    const layer = extract(
      tar(
        directory("./", { mode: 0o750, uid: 3 }),
        directory("bin", { mode: 0o2755, gid: 5 }),
        file("bin/su", "su", { mode: 0o6755, uid: 1000, gid: 1000 }),
        hardlink("bin/other", "bin/su"),
        symlink("sbin", "bin", { uid: 7 }),
        directory("tmp", { mode: 0o1777 }),
        characterDevice("null", 1, 3, { mode: 0o666 }),
        blockDevice("disk", 259, 300, { mode: 0o660, gid: 6 }),
        fifo("pipe", { mode: 0o600 }),
      ),
      dir.path,
    );
    expect(await tree(dir.path)).to.deep.equal([
      "d 2755 0:5 bin",
      'f 6755 1000:1000 bin/other "su"',
      'f 6755 1000:1000 bin/su "su"',
      "b 660 0:6 disk 259:44",
      "c 666 0:0 null 1:3",
      "p 600 0:0 pipe",
      "l sbin -> bin",
      "d 1777 0:0 tmp",
    ]);
    const root = await stat(dir.path);
    expect([root.mode & 0o7777, root.uid]).to.deep.equal([0o750, 3]);
    expect((await lstat(join(dir.path, "sbin"))).uid).to.equal(7);
    expect((await stat(join(dir.path, "bin/su"))).ino).to.equal((await stat(join(dir.path, "bin/other"))).ino);
    expect(layer).to.deep.include({ sizeBytes: 2, entryCount: 9, impliedDirectories: [], missingLinkTargets: [] });
  });

  it("keeps times to the nanosecond, of directories too, whatever is made in them later", async () => {
    await using dir = await temporaryDirectory();
    const archive = tar(
      directory("d", { mtime: 1_000_000_000 }),
      file("d/f", "x", { pax: [["mtime", "1500000000.123456789"]] }),
      symlink("d/l", "f", { mtime: 1_100_000_000 }),
    );
    extract(archive, dir.path);
    const ns = async (name: string) => (await lstat(join(dir.path, name), { bigint: true })).mtimeNs;
    expect(await ns("d")).to.equal(1_000_000_000_000_000_000n);
    expect(await ns("d/f")).to.equal(1_500_000_000_123_456_789n);
    expect(await ns("d/l")).to.equal(1_100_000_000_000_000_000n);
  });

  it("sets extended attributes after the owner, which would clear capabilities", async () => {
    await using dir = await temporaryDirectory();
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    extract(
      tar(
        file("ping", "x", { uid: 9, xattrs: { "security.capability": capability, "user.a": "b" } }),
        directory("d", { xattrs: { "user.c": "d" } }),
      ),
      dir.path,
    );
    expect(readXattrs(join(dir.path, "ping")).get("security.capability")).to.equal(capability.toString("latin1"));
    expect(readXattrs(join(dir.path, "ping")).get("user.a")).to.equal("b");
    expect(readXattrs(join(dir.path, "d")).get("user.c")).to.equal("d");
  });

  it("leaves holes as holes", async () => {
    await using dir = await temporaryDirectory();
    const pax = [
      ["GNU.sparse.size", String(1 << 30)],
      ["GNU.sparse.map", `${1 << 29},3`],
    ] as const;
    const layer = extract(tar(file("holes", "abc", { pax })), dir.path);
    const { size, blocks } = await stat(join(dir.path, "holes"));
    expect(size).to.equal(1 << 30);
    expect(blocks * 512).to.be.lessThan(1 << 20);
    expect(layer.sizeBytes).to.equal(3);
  });

  it("keeps names that are no UTF-8 and names of 255 bytes", async () => {
    await using dir = await temporaryDirectory();
    const odd = Buffer.from([0x61, 0xff]);
    const long = "n".repeat(255);
    extract(tar(file(odd, "1"), file(long, "2")), dir.path);
    expect((await readdir(dir.path, { encoding: "buffer" })).map((name) => name.toString("latin1"))).to.have.members([
      "a\u00ff",
      long,
    ]);
  });

  it("lets a later entry replace an earlier one, and merges directories", async () => {
    await using dir = await temporaryDirectory();
    extract(
      tar(
        file("a", "1"),
        file("a", "2"),
        directory("d", { mode: 0o700 }),
        file("d/kept", "x"),
        directory("d", { mode: 0o711 }),
        directory("e/f"),
        file("e/f/g", ""),
        file("e", "now a file"),
        symlink("l", "d"),
        directory("l"),
        file("l/own", "y"),
        file("h", "1"),
        hardlink("i", "h"),
        file("i", "2"),
      ),
      dir.path,
    );
    expect(await tree(dir.path)).to.deep.equal([
      'f 644 0:0 a "2"',
      "d 711 0:0 d",
      'f 644 0:0 d/kept "x"',
      'f 644 0:0 e "now a file"',
      'f 644 0:0 h "1"',
      'f 644 0:0 i "2"',
      "d 755 0:0 l",
      'f 644 0:0 l/own "y"',
    ]);
  });

  it("follows symlinks inside of the layer, as Docker does", async () => {
    await using dir = await temporaryDirectory();
    const layer = extract(
      tar(
        directory("usr"),
        directory("usr/bin"),
        symlink("bin", "usr/bin"),
        symlink("absolute", "/usr/./bin"),
        symlink("usr/up", "../usr/bin"),
        file("bin/a", "1"),
        file("absolute/b", "2"),
        file("usr/up/c", "3"),
        hardlink("usr/d", "bin/a"),
      ),
      dir.path,
    );
    const files = (await tree(dir.path)).filter((line) => line.startsWith("f"));
    expect(files).to.deep.equal([
      'f 644 0:0 usr/bin/a "1"',
      'f 644 0:0 usr/bin/b "2"',
      'f 644 0:0 usr/bin/c "3"',
      'f 644 0:0 usr/d "1"',
    ]);
    expect(layer.impliedDirectories).to.deep.equal([]);
  });

  it("notices when a symlink that was followed is replaced", async () => {
    await using dir = await temporaryDirectory();
    extract(
      tar(
        directory("one"),
        directory("two"),
        symlink("l", "one"),
        file("l/a", "1"),
        symlink("l", "two"),
        file("l/b", "2"),
        directory("x"),
        file("x/c", ""),
        symlink("x", "one"),
        file("x/d", ""),
      ),
      dir.path,
    );
    const files = (await tree(dir.path)).filter((line) => line.startsWith("f")).map((line) => line.split(" ")[3]);
    expect(files).to.deep.equal(["one/a", "one/d", "two/b"]);
  });

  it("extracts hundreds of directories deep and thousands of them wide without keeping them open", async () => {
    await using dir = await temporaryDirectory();
    const deep = "d/".repeat(400);
    const wide = Array.from({ length: 3000 }, (_, i) => file(`w/${i}/f`, "x"));
    const before = (await readdir("/proc/self/fd")).length;
    extract(tar(file(`${deep}f`, "deep"), ...wide), dir.path);
    expect((await readdir("/proc/self/fd")).length).to.equal(before);
    expect(await readFile(join(dir.path, deep, "f"), "utf8")).to.equal("deep");
  });

  describe("whiteouts", () => {
    it("become overlayfs's: a device 0/0 for a name, an attribute for a whole directory", async () => {
      await using dir = await temporaryDirectory();
      extract(tar(directory("d"), file("d/.wh.gone"), directory("o"), file("o/.wh..wh..opq")), dir.path);
      expect(await tree(dir.path)).to.deep.equal([
        "d 755 0:0 d",
        "c 0 0:0 d/gone 0:0",
        "d 755 0:0 o {trusted.overlay.opaque=y}",
      ]);
    });

    it("hide what is below and not what the layer itself brings, in either order", async () => {
      await using dir = await temporaryDirectory();
      extract(
        tar(
          file(".wh.a"),
          directory("a"),
          directory("b"),
          file(".wh.b"),
          file(".wh.c"),
          file("c", "new"),
          file("e", "new"),
          file(".wh.e"),
          file(".wh.f"),
          file("f/implied", ""),
        ),
        dir.path,
      );
      expect(await tree(dir.path)).to.deep.equal([
        "d 755 0:0 a {trusted.overlay.opaque=y}",
        "d 755 0:0 b {trusted.overlay.opaque=y}",
        'f 644 0:0 c "new"',
        'f 644 0:0 e "new"',
        "d 755 0:0 f {trusted.overlay.opaque=y}",
        'f 644 0:0 f/implied ""',
      ]);
    });

    it("of AUFS's own files mean nothing", async () => {
      await using dir = await temporaryDirectory();
      extract(tar(directory(".wh..wh.plnk"), file(".wh..wh.aufs")), dir.path);
      expect(await tree(dir.path)).to.deep.equal([]);
    });

    it("cannot be forged by attributes: a redirect would show another lower directory", async () => {
      await using dir = await temporaryDirectory();
      const xattrs = { "trusted.overlay.redirect": "/etc", "user.overlay.opaque": "y", "user.kept": "1" };
      extract(tar(directory("d", { xattrs })), dir.path);
      expect(await tree(dir.path)).to.deep.equal(["d 755 0:0 d {user.kept=1}"]);
    });
  });

  describe("notes what it cannot know alone", () => {
    it("directories that no entry describes, until one does", async () => {
      await using dir = await temporaryDirectory();
      const layer = extract(tar(file("a/b/c", ""), directory("a", { mode: 0o700 }), file("x/y", "")), dir.path);
      expect(layer.impliedDirectories).to.deep.equal(["a/b", "x"]);
      expect(await tree(dir.path)).to.include.members(["d 700 0:0 a", "d 755 0:0 a/b", "d 755 0:0 x"]);
    });

    it("directories behind a symlink that leads to what only a lower layer has", async () => {
      await using dir = await temporaryDirectory();
      const layer = extract(tar(symlink("bin", "usr/bin"), file("bin/x", "1")), dir.path);
      expect(layer.impliedDirectories).to.deep.equal(["usr", "usr/bin"]);
      expect(await tree(dir.path)).to.include('f 644 0:0 usr/bin/x "1"');
    });

    it("hard links to what the layer does not hold", async () => {
      await using dir = await temporaryDirectory();
      const archive = tar(directory("a"), hardlink("a/new", "etc/passwd"), hardlink("b", "a/new"), hardlink("c", "/x"));
      const layer = extract(archive, dir.path);
      expect(layer.missingLinkTargets).to.deep.equal([
        { path: "a/new", target: "etc/passwd" },
        { path: "b", target: "a/new" },
        { path: "c", target: "x" },
      ]);
      expect(await tree(dir.path)).to.deep.equal(["d 755 0:0 a"]);
    });

    it("nothing of what was replaced", async () => {
      await using dir = await temporaryDirectory();
      const archive = tar(file("a/b/c", ""), file("a", "x"), hardlink("l", "gone"), file("l", "y"));
      const layer = extract(archive, dir.path);
      expect(layer).to.deep.include({ impliedDirectories: [], missingLinkTargets: [] });
    });
  });

  describe("refuses a layer that escapes", () => {
    const members: Readonly<Record<string, readonly TarMember[]>> = {
      "by dots": [file("../escaped", "x")],
      "by dots after a directory": [directory("a"), file("a/../../escaped", "x")],
      "by dots in the name's middle": [file("/a/b/../../../escaped", "x")],
      "through a symlink to the parent": [symlink("up", ".."), file("up/escaped", "x")],
      "through a symlink that climbs": [directory("a"), symlink("a/up", "../../outside"), file("a/up/escaped", "x")],
      "through a chain of symlinks": [symlink("a", "b"), symlink("b", "../outside"), file("a/escaped", "x")],
      "through a directory that became a symlink": [directory("d"), symlink("d", "../outside"), file("d/escaped", "x")],
      "by a hard link's target": [hardlink("passwd", "../outside/secret")],
      "by a hard link through a symlink": [symlink("up", "../outside"), hardlink("stolen", "up/secret")],
      "with a whiteout": [file("../.wh.outside")],
      "with a whiteout through a symlink": [symlink("up", "../outside"), file("up/.wh.secret")],
      "with an opaque mark through a symlink": [symlink("up", "../outside"), file("up/.wh..wh..opq")],
    };
    for (const [name, hostile] of Object.entries(members)) {
      it(name, async () => {
        await using dir = await temporaryDirectory();
        const [root, outside] = [join(dir.path, "root"), join(dir.path, "outside")];
        await mkdir(root);
        await mkdir(outside);
        await writeFile(join(outside, "secret"), "secret");
        expect(() => extract(tar(...hostile), root))
          .to.throw()
          .that.includes({ code: "INVALID_ARGUMENT", reason: "LAYER_ESCAPES_ROOT" });
        expect(await readdir(dir.path)).to.have.members(["root", "outside"]);
        expect(await readdir(outside)).to.deep.equal(["secret"]);
        expect(readXattrs(outside).size).to.equal(0);
      });
    }

    it("but takes absolute names and symlinks as ones inside of it", async () => {
      await using dir = await temporaryDirectory();
      const [root, outside] = [join(dir.path, "root"), join(dir.path, "outside")];
      await mkdir(root);
      await mkdir(outside);
      extract(tar(file("/a", "1"), symlink("l", outside), file("l/b", "2")), root);
      expect(await readdir(outside)).to.deep.equal([]);
      expect(await readFile(join(root, outside, "b"), "utf8")).to.equal("2");
    });

    it("and a dangling or outward symlink is no more than a symlink, until it is used", async () => {
      await using dir = await temporaryDirectory();
      extract(tar(symlink("a", "../../../etc/passwd"), symlink("b", "nowhere"), file("a", "replaced")), dir.path);
      expect(await tree(dir.path)).to.deep.equal(['f 644 0:0 a "replaced"', "l b -> nowhere"]);
    });
  });

  describe("refuses a layer that is broken", () => {
    const members: Readonly<Record<string, readonly TarMember[]>> = {
      "with entries below a file": [file("a", ""), file("a/b", "")],
      "with a symlink that leads to itself": [symlink("a", "a"), file("a/b", "")],
      "with symlinks in a circle": [symlink("a", "b/x"), symlink("b", "a/x"), file("a/b", "")],
      "with a file for a root": [file(".", "")],
      "with a hard link to itself": [file("a", ""), hardlink("a", "a")],
      "with a hard link to a directory": [directory("a"), hardlink("b", "a")],
      "with a name of 256 bytes": [file("n".repeat(256), "")],
      "with a symlink to nothing": [symlink("a", "")],
      "with a symlink to more than a path": [symlink("a", "x".repeat(5000))],
      "with a whiteout of nothing": [file(".wh.", "")],
      "with a whiteout of its directory": [file("d/.wh..", "")],
      "with a whiteout of the directory above": [file("d/.wh...", "")],
      "with a device of impossible numbers": [characterDevice("a", 5000, 1)],
      "with an owner of 33 bits": [file("a", "", { uid: 2 ** 33 })],
      "with an attribute without a name": [file("a", "", { xattrs: { "": "x" } })],
    };
    for (const [name, broken] of Object.entries(members)) {
      it(name, async () => {
        await using dir = await temporaryDirectory();
        expect(() => extract(tar(...broken), dir.path))
          .to.throw()
          .that.includes({ code: "INVALID_ARGUMENT", reason: "LAYER_CORRUPT" });
      });
    }
  });

  describe("refuses a layer beyond its limits", () => {
    it("of entries, depth, path and file size, a sparse file's too", async () => {
      await using dir = await temporaryDirectory();
      const huge = [
        ["GNU.sparse.size", String(2 ** 50)],
        ["GNU.sparse.map", ""],
      ] as const;
      const layers = [
        () => extract(tar(file("a"), file("b"), file("c")), dir.path, { maxEntries: 2 }),
        () => extract(tar(file("d/".repeat(11))), dir.path, { maxDepth: 10 }),
        () => extract(tar(file("x/".repeat(60))), dir.path, { maxPathBytes: 100 }),
        () => extract(tar(file("big", "x".repeat(11))), dir.path, { maxFileBytes: 10 }),
        () => extract(tar(file("holes", "", { pax: huge })), dir.path),
      ];
      for (const layer of layers) {
        expect(layer).to.throw().that.includes({ code: "RESOURCE_EXHAUSTED", reason: "LAYER_TOO_LARGE" });
      }
    });

    it("of depth by way of symlinks", async () => {
      await using dir = await temporaryDirectory();
      const step = "d/".repeat(90);
      const links = Array.from({ length: 8 }, (_, i) => symlink(`${"d/".repeat(90 * i)}l`, step));
      const archive = tar(...links, file(`${"l/".repeat(8)}f`, ""));
      expect(() => extract(archive, dir.path, { maxDepth: 300 }))
        .to.throw()
        .that.includes({ reason: "LAYER_TOO_LARGE" });
    });

    it("of an inode's attributes, without calling it a full disk", async () => {
      await using dir = await temporaryDirectory();
      const xattrs = { "user.a": Buffer.alloc(60_000, 1), "user.b": Buffer.alloc(65_537, 1) };
      expect(() => extract(tar(file("a", "", { xattrs })), dir.path))
        .to.throw()
        .that.includes({ code: "RESOURCE_EXHAUSTED", reason: "LAYER_TOO_LARGE" });
    });
  });
});
