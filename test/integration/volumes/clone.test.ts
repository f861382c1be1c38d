import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { CloneVolumeRequest, CreateVolumeRequest } from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { lockContent } from "../../../services/volumes/content/lock.ts";
import { makeIncoming } from "../../../services/volumes/drivers/local/directories.ts";
import { reconcile } from "../../../services/volumes/reconcile.ts";
import { deleteReferences, insertReferences, insertVolumes, volumeNamed } from "../../../services/volumes/store.ts";
import { parseVolumeName } from "../../../services/volumes/volume.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { listing, makeRichTree } from "./rich-tree.ts";
import {
  call,
  createNamed,
  dataDirectory,
  holder,
  names,
  nothingIsHeld,
  type VolumesLab,
  volumeMount,
  volumesLab,
} from "./volumes-lab.ts";

describe("clone", () => {
  it("makes a new volume with all of another one's content, as it is, and its labels", async () => {
    await using lab = await volumesLab();
    await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name: "data", labels: { a: "b" } }), call());
    await makeRichTree(dataDirectory(lab, "data"));
    const { volume } = await clone(lab, "data", "copy", { c: "d" });
    expect(volume).to.deep.include({ name: "copy", labels: { a: "b", c: "d" }, driver: "local" });
    expect(await listing(dataDirectory(lab, "copy"))).to.equal(await listing(dataDirectory(lab, "data")));
    await writeFile(join(dataDirectory(lab, "copy"), "plain"), "changed");
    expect(await readFile(join(dataDirectory(lab, "data"), "plain"), "utf8")).to.equal("text");
    await nothingIsHeld(lab, "data");
  });

  it("of a volume that is mounted is a plain one with what was in it", async () => {
    await using lab = await volumesLab();
    const options = { type: "tmpfs", device: "tmpfs", o: "size=20m" };
    await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name: "memory", options }), call());
    const mounts = [volumeMount("/d", { source: "memory" })];
    await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
    await makeRichTree(dataDirectory(lab, "memory"));
    const { volume } = await clone(lab, "memory", "copy");
    expect(volume?.options).to.deep.equal({});
    expect(await listing(dataDirectory(lab, "copy"))).to.equal(await listing(dataDirectory(lab, "memory")));
    await lab.volumes.release({ holder: "box", removeAnonymous: false }, call());
  });

  it("is refused for a name that is taken and of a volume that is not there, and leaves nothing", async () => {
    await using lab = await volumesLab();
    for (const name of ["data", "taken"]) await createNamed(lab, name);
    expect(await rejection(clone(lab, "data", "taken"))).to.include({ reason: "VOLUME_NAME_IN_USE" });
    expect(await rejection(clone(lab, "none", "copy"))).to.include({ reason: "VOLUME_NOT_FOUND" });
    expect(await rejection(clone(lab, "data", "a/b"))).to.include({ reason: "VOLUME_NAME_INVALID" });
    expect(await names(lab)).to.deep.equal(["data", "taken"]);
    await nothingIsHeld(lab, "data");
  });

  it("whose caller goes away is undone, and the other volume can be removed", async () => {
    await using lab = await volumesLab();
    await createNamed(lab, "data");
    await Promise.all(
      Array.from({ length: 3000 }, (_, index) => writeFile(join(dataDirectory(lab, "data"), `${index}`), "x")),
    );
    const leaving = new AbortController();
    const cloning = rejection(
      lab.volumes.cloneVolume(CloneVolumeRequest.fromPartial({ ref: "data", name: "copy" }), {
        signal: leaving.signal,
        timeoutMs: 60_000,
      }),
    );
    await eventually(async () => (await readdir(lab.directories.incoming)).length > 0);
    const removal = rejection(lab.volumes.removeVolume({ ref: "data", force: false }, call()));
    expect(await removal)
      .to.include({ reason: "VOLUME_IN_USE" })
      .with.property("why")
      .that.includes("clone:");
    leaving.abort();
    await cloning;
    await eventually(async () => (await readdir(lab.directories.incoming)).length === 0);
    await eventually(async () => (await volumeNamed(lab.db, lab.node, "data"))?.holders.length === 0);
    expect(await names(lab)).to.deep.equal(["data"]);
  });

  it("killed before its end is cleared up, while one that goes on is left alone", async () => {
    await using lab = await volumesLab();
    await createNamed(lab, "data");
    const [dead, alive] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    const volumeId = (await volumeNamed(lab.db, lab.node, "data"))?.id ?? "";
    await using _lock = await lockContent(lab.db, alive, deadline(60_000, "work"));
    for (const id of [dead, alive]) {
      await writeFile(join(await makeIncoming(lab.directories, { id }), "half"), "");
      const reference = { target: "/", volumeId, wantsCopyUp: false, owner: undefined };
      await insertReferences(lab.db, `clone:${id}`, `clone:${id}`, [reference]);
    }
    await mend(lab);
    expect(await readdir(lab.directories.incoming)).to.deep.equal([alive]);
    expect((await volumeNamed(lab.db, lab.node, "data"))?.holders).to.deep.equal([`clone:${alive}`]);
    await deleteReferences(lab.db, lab.node, `clone:${alive}`);
  });

  it("killed between its row and its directory is whole: whoever comes first moves the content in", async () => {
    await using lab = await volumesLab();
    const id = "33333333-3333-4333-8333-333333333333";
    const plain = { driver: "local", options: {}, labels: {}, isAnonymous: false };
    {
      // who makes it holds this until its row is there: else the service's own look would clear it up
      await using _lock = await lockContent(lab.db, id, deadline(60_000, "work"));
      await writeFile(join(await makeIncoming(lab.directories, { id }), "precious"), "");
      await insertVolumes(lab.db, lab.node, [{ ...plain, id, name: parseVolumeName("copy") }], { name: "uid:0" });
    }
    expect(existsSync(dataDirectory(lab, "copy"))).to.equal(false);
    await mend(lab);
    expect(await readdir(dataDirectory(lab, "copy"))).to.deep.equal(["precious"]);
    expect((await stat(join(lab.directories.top, "copy"))).mode & 0o777).to.equal(0o701);
    expect(await readdir(lab.directories.incoming)).to.deep.equal([]);
  });
});

function clone(lab: VolumesLab, ref: string, name: string, labels = {}) {
  const request = CloneVolumeRequest.fromPartial({ ref, name, labels });
  return lab.volumes.cloneVolume(request, { ...call(), timeoutMs: 60_000, signal: deadline(60_000, "clone") });
}

async function mend(lab: VolumesLab): Promise<void> {
  await reconcile(lab.deps, lab.directories, deadline(30_000, "reconcile"));
}
