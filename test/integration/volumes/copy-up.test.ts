import { chmod, chown, lstat, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { bindMount, bindUnmount } from "../../../services/kit/linux/mount.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { listing, makeRichTree } from "./rich-tree.ts";
import { call, dataDirectory, holder, type VolumesLab, volumeMount, volumesLab } from "./volumes-lab.ts";

describe("copy-up", () => {
  it("copies the image's directory faithfully, itself included, and says that it changed the volume", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await makeRichTree(join(image.path, "var/data"));
    const volume = await acquired(lab, "box", "/var/data");
    expect(await copyUp(lab, "box", image.path, "/var/data")).to.deep.equal({ changed: true });
    expect(await listing(volume)).to.equal(await listing(join(image.path, "var/data")));
    expect(await lab.directoryNames()).to.deep.equal(["data"]);
    expect(await readdir(join(lab.directories.top, "data"))).to.deep.equal(["_data"]);
  });

  it("does so from an overlay mount, where the hard links and holes are the lower layer's", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await using root = await overlay(image.path);
    await makeRichTree(join(root.lower, "data"));
    await root.mount();
    const volume = await acquired(lab, "box", "/data");
    await copyUp(lab, "box", root.merged, "/data");
    expect(await listing(volume)).to.equal(await listing(join(root.lower, "data")));
  });

  it("of an empty directory gives the volume its owner and mode", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await chown(join(image.path, "data"), 999, 998);
    await chmod(join(image.path, "data"), 0o1770);
    const volume = await acquired(lab, "box", "/data");
    await copyUp(lab, "box", image.path, "/data");
    expect(await lstat(volume)).to.include({ uid: 999, gid: 998, mode: 0o41770 });
  });

  it("gives all that it copies, and the volume, the owner that was asked for at the mount; modes stay", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await writeFile(join(image.path, "data/file"), "", { mode: 0o640 });
    await symlink("file", join(image.path, "data/link"));
    await chown(join(image.path, "data/file"), 33, 33);
    const mounts = [volumeMount("/data", { source: "data", uid: 1000 })];
    await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
    expect(await copyUp(lab, "box", image.path, "/data")).to.deep.equal({ changed: true });
    const volume = dataDirectory(lab, "data");
    expect(await lstat(volume)).to.include({ uid: 1000, gid: 0 });
    expect(await lstat(join(volume, "file"))).to.include({ uid: 1000, gid: 33, mode: 0o100640 });
    expect(await lstat(join(volume, "link"))).to.include({ uid: 1000, gid: 0 });
    const again = await lab.volumes.acquire({ holder: holder("box", "again"), mounts }, call());
    expect(again.mounts[0]?.needsCopyUp).to.equal(false);
  });

  it("fills a volume that is mounted too", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await makeRichTree(join(image.path, "data"));
    const volume = await acquired(lab, "box", "/data", { type: "tmpfs", device: "tmpfs", o: "size=20m" });
    expect(await copyUp(lab, "box", image.path, "/data")).to.deep.equal({ changed: true });
    // the staging directory lay in it, so its own time is that of the copy
    const but = (text: string) => text.replace(/^\. (.*) [\d.]+ /, ". $1 ");
    expect(but(await listing(volume))).to.equal(but(await listing(join(image.path, "data"))));
    await lab.volumes.release({ holder: "box", removeAnonymous: true }, call());
  });

  it("that finds the volume full says so, and leaves it empty", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await writeFile(join(image.path, "data/large"), Buffer.alloc(3 << 20, 1));
    const volume = await acquired(lab, "box", "/data", { type: "tmpfs", device: "tmpfs", o: "size=1m" });
    const error = await rejection(copyUp(lab, "box", image.path, "/data"));
    expect(error).to.include({ code: "RESOURCE_EXHAUSTED", reason: "VOLUME_FULL" });
    expect(await readdir(volume)).to.deep.equal([]);
    await lab.volumes.release({ holder: "box", removeAnonymous: true }, call());
  });

  it("never changes content that is there", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await writeFile(join(image.path, "data/file"), "image");
    const volume = await acquired(lab, "box", "/data");
    await writeFile(join(volume, "other"), "mine");
    expect(await copyUp(lab, "box", image.path, "/data")).to.deep.equal({ changed: false });
    expect(await readdir(volume)).to.deep.equal(["other"]);
  });

  it("happens once for a container: what it deleted does not come back when it starts again", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await writeFile(join(image.path, "data/file"), "image");
    const volume = await acquired(lab, "box", "/data");
    await copyUp(lab, "box", image.path, "/data");
    await rm(join(volume, "file"));
    const mounts = [volumeMount("/data", { source: "data" })];
    const again = await lab.volumes.acquire({ holder: holder("box", "second-start"), mounts }, call());
    expect(again.mounts[0]?.needsCopyUp).to.equal(false);
    expect(await copyUp(lab, "box", image.path, "/data")).to.deep.equal({ changed: false });
    expect(await readdir(volume)).to.deep.equal([]);
  });

  it("by two containers at once, in two replicas, happens once", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await makeRichTree(join(image.path, "data"));
    const boxes = ["one", "two", "three"];
    for (const box of boxes) await acquired(lab, box, "/data");
    const answers = await Promise.all(boxes.map((box) => copyUp(lab, box, image.path, "/data")));
    expect(answers.filter(({ changed }) => changed)).to.have.lengthOf(1);
    expect(await listing(dataDirectory(lab, "data"))).to.equal(await listing(join(image.path, "data")));
  });

  it("follows the image's links inside its root, and never out of it", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "root/srv"), { recursive: true });
    await writeFile(join(image.path, "root/srv/inside"), "");
    await mkdir(join(image.path, "srv"));
    await writeFile(join(image.path, "srv/outside"), "");
    await symlink("/srv", join(image.path, "root/absolute"));
    await symlink("../../../../../../srv", join(image.path, "root/relative"));
    for (const target of ["/absolute", "/relative"]) {
      const volume = await acquired(lab, target.slice(1), target, {}, target.slice(1));
      await copyUp(lab, target.slice(1), join(image.path, "root"), target, target.slice(1));
      expect(await readdir(volume)).to.deep.equal(["inside"]);
    }
  });

  it("of a target that the image lacks, or has as a file, changes nothing", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await writeFile(join(image.path, "file"), "");
    await acquired(lab, "box", "/file");
    expect(await copyUp(lab, "box", image.path, "/file")).to.deep.equal({ changed: false });
    await acquired(lab, "other", "/nothing");
    expect(await copyUp(lab, "other", image.path, "/nothing")).to.deep.equal({ changed: false });
  });

  it("is refused for who does not refer to the volume, or whose operation was undone", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    expect(await rejection(copyUp(lab, "box", image.path, "/data"))).to.include({ reason: "VOLUME_NOT_ACQUIRED" });
    await acquired(lab, "box", "/data");
    await lab.volumes.undoAcquire({ holder: holder("box") }, call());
    expect(await rejection(copyUp(lab, "box", image.path, "/data"))).to.include({ reason: "OPERATION_UNDONE" });
    await acquired(lab, "late", "/data");
    const missing = join(image.path, "missing");
    expect(await rejection(copyUp(lab, "late", missing, "/data"))).to.include({ reason: "ROOTFS_MISSING" });
  });

  it("lets other calls through meanwhile", async () => {
    await using lab = await volumesLab();
    await using image = await temporaryDirectory();
    await mkdir(join(image.path, "data"));
    await Promise.all(
      Array.from({ length: 600 }, (_, index) => writeFile(join(image.path, `data/${index}`), `${index}`)),
    );
    await acquired(lab, "box", "/data");
    let isDone = false;
    const copying = copyUp(lab, "box", image.path, "/data").finally(() => {
      isDone = true;
    });
    let answeredMeanwhile = 0;
    while (!isDone) {
      await lab.volumes.inspectVolume({ ref: "data", withSize: false }, call());
      if (!isDone) answeredMeanwhile += 1;
    }
    expect(await copying).to.deep.equal({ changed: true });
    expect(answeredMeanwhile).to.be.greaterThan(2);
  });
});

async function acquired(
  lab: VolumesLab,
  box: string,
  target: string,
  driverOptions: Record<string, string> = {},
  source = "data",
): Promise<string> {
  const mounts = [volumeMount(target, { source, driverOptions })];
  const answer = await lab.volumes.acquire({ holder: holder(box), mounts }, call());
  expect(answer.mounts[0]?.needsCopyUp).to.equal(true);
  return answer.mounts[0]?.source ?? "";
}

async function copyUp(lab: VolumesLab, box: string, rootfs: string, target: string, volume = "data") {
  return lab.volumes.copyUp({ holder: holder(box), volume, rootfs, target }, call());
}

async function overlay(path: string) {
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => join(path, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const directory of [lower, upper, work, merged]) await mkdir(directory);
  return {
    lower,
    merged,
    mount: async () => {
      const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
      bindMount()({ source: "overlay", target: merged, type: "overlay", options });
    },
    [Symbol.asyncDispose]: async () => {
      await bindUnmount()(merged);
    },
  };
}
