import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { CreateVolumeRequest, ListVolumesRequest } from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { bindMount, MountFlag } from "../../../services/kit/linux/mount.ts";
import { fill } from "../../../services/volumes/copy-up/fill.ts";
import type { CopySyscalls } from "../../../services/volumes/copy-up/syscalls.ts";
import { isMounted } from "../../../services/volumes/drivers/local/mounting.ts";
import { reconcile } from "../../../services/volumes/reconcile.ts";
import { discard } from "../../../services/volumes/remove.ts";
import { lockVolume, markStaged } from "../../../services/volumes/store.ts";
import { emptyTrash } from "../../../services/volumes/trash.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { call, dataDirectory, holder, type VolumesLab, volumeMount, volumesLab } from "./volumes-lab.ts";

describe("the volumes service after a crash", () => {
  it("makes a directory for a volume that has none", async () => {
    await using lab = await volumesLab();
    await create(lab, "data");
    await rm(join(lab.directories.top, "data"), { recursive: true });
    await mend(lab);
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal([]);
  });

  it("makes a volume for a directory that has none, its content untouched", async () => {
    await using lab = await volumesLab();
    const anonymous = "0".repeat(64);
    for (const name of ["lost", anonymous]) {
      await mkdir(dataDirectory(lab, name), { recursive: true });
      await writeFile(join(dataDirectory(lab, name), "precious"), "");
    }
    await mkdir(join(lab.directories.top, "not-a-volume"));
    await mend(lab);
    expect(await names(lab)).to.deep.equal([anonymous, "lost"]);
    expect((await lab.volumes.inspectVolume({ ref: anonymous, withSize: false }, call())).volume?.isAnonymous).to.equal(
      true,
    );
    expect(await readdir(dataDirectory(lab, "lost"))).to.deep.equal(["precious"]);
  });

  it("brings back the content of a removal that was not committed", async () => {
    await using lab = await volumesLab();
    await create(lab, "data");
    await writeFile(join(dataDirectory(lab, "data"), "precious"), "");
    await crashInRemoval(lab, "data");
    expect(await lab.directoryNames()).to.deep.equal([]);
    await mend(lab);
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["precious"]);
  });

  it("brings it back too when a container comes before the mending", async () => {
    await using lab = await volumesLab();
    await create(lab, "data");
    await writeFile(join(dataDirectory(lab, "data"), "precious"), "");
    await crashInRemoval(lab, "data");
    const mounts = [volumeMount("/d", { source: "data" })];
    await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["precious"]);
  });

  it("never empties the trash of a volume whose removal is under way", async () => {
    await using lab = await volumesLab();
    const id = await create(lab, "data");
    await lab.db.transaction(async (tx) => {
      const volume = await lockVolume(tx, lab.node, "data");
      if (volume !== undefined) await discard(tx, volume, lab.deps.drivers);
      await emptyTrash(lab.deps, lab.directories, new Set(), deadline(5_000, "empty the trash"));
      await mend(lab);
      expect(await readdir(lab.directories.trash)).to.deep.equal([id]);
      expect(await lab.directoryNames()).to.deep.equal([]);
    });
    await eventually(async () => (await readdir(lab.directories.trash)).length === 0);
  });

  it("deletes what was in the trash when it died", async () => {
    await using lab = await volumesLab();
    await mkdir(join(lab.directories.trash, "01d7a5c2-0000-4000-8000-000000000000/_data"), { recursive: true });
    await eventually(async () => (await readdir(lab.directories.trash)).length === 0);
  });

  it("throws away a copy that had not been completed, and the next one starts from scratch", async () => {
    await using lab = await volumesLab();
    await using image = await imageWith("one", "two");
    const mounts = [volumeMount("/data", { source: "data" })];
    await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
    const leftover = join(lab.directories.top, "data/.ctl-copy-up.0123456789abcdef");
    await mkdir(leftover);
    await writeFile(join(leftover, "half"), "");
    await mend(lab);
    expect(await readdir(join(lab.directories.top, "data"))).to.deep.equal(["_data"]);
    await lab.volumes.copyUp({ holder: holder("box"), volume: "data", rootfs: image.path, target: "/data" }, call());
    expect((await readdir(dataDirectory(lab, "data"))).sort()).to.deep.equal(["one", "two"]);
  });

  it("goes on moving a complete copy in, over nothing that is there by now", async () => {
    await using lab = await volumesLab();
    const id = await create(lab, "data");
    const staged = ".ctl-copy-up.0123456789abcdef";
    const copy = join(lab.directories.top, "data", staged);
    await mkdir(copy);
    for (const name of ["moved", "rest", "rival"]) await writeFile(join(copy, name), "image");
    await rename(join(copy, "moved"), join(dataDirectory(lab, "data"), "moved"));
    await writeFile(join(dataDirectory(lab, "data"), "rival"), "mine, and longer");
    await markStaged(lab.db, id, staged);
    await mend(lab);
    expect((await readdir(dataDirectory(lab, "data"))).sort()).to.deep.equal(["moved", "rest", "rival"]);
    expect(await readdir(join(lab.directories.top, "data"))).to.deep.equal(["_data"]);
    expect(await sizeOf(join(dataDirectory(lab, "data"), "rival"))).to.equal(16);
  });

  it("dies at any entry of the moving in, and whoever comes next completes the volume", async () => {
    const files = ["a", "b", "c", "d"];
    for (let survived = 0; survived <= files.length; survived++) {
      await using lab = await volumesLab();
      await using image = await imageWith(...files);
      const mounts = [volumeMount("/data", { source: "data" })];
      await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      await dieWhileMoving(lab, join(image.path, "data"), survived);
      const again = await lab.volumes.acquire({ holder: holder("box", "again"), mounts }, call());
      expect(again.mounts[0]?.needsCopyUp).to.equal(true);
      const request = { holder: holder("box", "again"), volume: "data", rootfs: image.path, target: "/data" };
      await lab.volumes.copyUp(request, call());
      expect((await readdir(dataDirectory(lab, "data"))).sort()).to.deep.equal(files);
      expect(await readdir(join(lab.directories.top, "data"))).to.deep.equal(["_data"]);
    }
  });

  it("unmounts what nobody refers to, and only that", async () => {
    await using lab = await volumesLab();
    const options = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
    for (const name of ["idle", "used"]) {
      await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name, options }), call());
    }
    const mounts = [volumeMount("/d", { source: "used" })];
    await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
    bindMount()({ source: "tmpfs", target: dataDirectory(lab, "idle"), type: "tmpfs" });
    await mend(lab);
    expect(await isMounted(dataDirectory(lab, "idle"))).to.equal(false);
    expect(await isMounted(dataDirectory(lab, "used"))).to.equal(true);
  });

  it("never deletes through a mount that somebody made in a volume", async () => {
    await using lab = await volumesLab();
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "precious"), "");
    await create(lab, "data");
    const inside = join(dataDirectory(lab, "data"), "inside");
    await mkdir(inside);
    bindMount()({ source: host.path, target: inside, flags: MountFlag.bind });
    const removal = lab.volumes.removeVolume({ ref: "data", force: false }, call());
    expect(await rejection(removal)).to.include({ code: "FAILED_PRECONDITION", reason: "VOLUME_BUSY" });
    expect(await names(lab)).to.deep.equal(["data"]);
    expect(await readdir(host.path)).to.deep.equal(["precious"]);
  });

  it("touches nothing of another node that shares the database", async () => {
    await using lab = await volumesLab();
    await lab.db.query(
      "insert into volumes (node, name, driver, is_anonymous) values ('elsewhere', 'data', 'local', false)",
    );
    await mend(lab);
    expect(await lab.directoryNames()).to.deep.equal([]);
    expect(await names(lab)).to.deep.equal([]);
    await create(lab, "data");
    await lab.volumes.removeVolume({ ref: "data", force: false }, call());
    expect((await lab.db.query("select from volumes where node = 'elsewhere'")).rowCount).to.equal(1);
  });

  it("finds nothing to mend where nothing is wrong", async () => {
    await using lab = await volumesLab();
    await create(lab, "data");
    const events = async () => (await lab.db.query("select from events")).rowCount;
    const before = await events();
    await mend(lab);
    await mend(lab);
    expect(await events()).to.equal(before);
    expect(await lab.directoryNames()).to.deep.equal(["data"]);
  });
});

async function create(lab: VolumesLab, name: string): Promise<string> {
  await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name }), call());
  const { rows } = await lab.db.query<{ id: string }>("select id from volumes where name = $1 and node = $2", [
    name,
    lab.node,
  ]);
  return rows[0]?.id ?? "";
}

async function names(lab: VolumesLab): Promise<string[]> {
  const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.create(), call());
  return volumes.map(({ name }) => name);
}

async function mend(lab: VolumesLab): Promise<void> {
  await reconcile(lab.deps, lab.directories, deadline(10_000, "reconcile"));
}

/** Everything that a removal does up to its commit, which never comes. */
async function crashInRemoval(lab: VolumesLab, name: string): Promise<void> {
  const crash = new Error("killed");
  const removal = lab.db.transaction(async (tx) => {
    const volume = await lockVolume(tx, lab.node, name);
    if (volume !== undefined) await discard(tx, volume, lab.deps.drivers);
    throw crash;
  });
  expect(await rejection(removal)).to.equal(crash);
}

/** Fills the volume with system calls that end with the process after so many entries were moved. */
async function dieWhileMoving(lab: VolumesLab, source: string, survived: number): Promise<void> {
  let moved = 0;
  const calls: CopySyscalls = {
    ...lab.deps.calls,
    renameUnlessTaken: (from, to) => {
      if (moved++ >= survived) throw new Error("killed");
      return lab.deps.calls.renameUnlessTaken(from, to);
    },
    setTimes: (path, ...times) => {
      if (moved >= survived && moved > 0) throw new Error("killed");
      lab.deps.calls.setTimes(path, ...times);
    },
  };
  const volume = await lockVolume(lab.db, lab.node, "data");
  if (volume === undefined) throw new Error("no volume");
  await using directory = await open(source, "r");
  await rejection(
    fill(volume, { source: directory.fd, owner: undefined }, { ...lab.deps, calls }, deadline(5_000, "fill")),
  );
}

async function imageWith(...files: string[]) {
  const image = await temporaryDirectory();
  await mkdir(join(image.path, "data"));
  for (const name of files) await writeFile(join(image.path, "data", name), name);
  return image;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}
