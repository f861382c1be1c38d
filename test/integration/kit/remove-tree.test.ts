import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { bindRemoveTree } from "../../../services/kit/linux/remove-tree.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

describe("the removal of a tree", () => {
  const removeTree = bindRemoveTree();

  it("takes all that is in it, and nothing that a symlink in it leads to", async () => {
    await using directory = await temporaryDirectory("t");
    const tree = join(directory.path, "tree");
    const outside = join(directory.path, "outside");
    mkdirSync(join(tree, "a", "b"), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(outside, "kept"), "");
    symlinkSync(outside, join(tree, "a", "link"));
    writeFileSync(join(tree, "a", "b", "file"), "x");
    mkdirSync(join(tree, "closed"), { mode: 0 });
    await removeTree(tree);
    expect(readdirSync(directory.path)).to.deep.equal(["outside"]);
    expect(readdirSync(outside)).to.deep.equal(["kept"]);
    await removeTree(tree); // again: nothing is there
  });

  it("takes one that is deeper than a path can be long", async () => {
    await using directory = await temporaryDirectory("t");
    const tree = mkdtempSync(join(directory.path, "deep-"));
    const name = "d".repeat(200);
    // each time the whole is put below a new top, so that no path here is long
    for (let depth = 0; depth < 30; depth++) {
      const next = join(directory.path, "next");
      mkdirSync(next);
      renameSync(tree, join(next, name));
      renameSync(next, tree);
    }
    await removeTree(tree);
    expect(existsSync(tree)).to.equal(false);
  });

  it("leaves what is mounted in it alone, and says so", async () => {
    await using directory = await temporaryDirectory("t");
    const mountPoint = join(directory.path, "tree", "mounted");
    mkdirSync(mountPoint, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "none", mountPoint]);
    try {
      writeFileSync(join(mountPoint, "kept"), "");
      expect(await rejection(removeTree(join(directory.path, "tree")))).to.include({ reason: "TREE_BUSY" });
      expect(existsSync(join(mountPoint, "kept"))).to.equal(true);
    } finally {
      execFileSync("umount", [mountPoint]);
    }
    await removeTree(join(directory.path, "tree"));
    expect(existsSync(join(directory.path, "tree"))).to.equal(false);
  });
});
