import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { expect } from "chai";
import { CreateVolumeRequest, RestoreVolumeRequest, type Volume } from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { makeIncoming } from "../../../services/volumes/drivers/local/directories.ts";
import { reconcile } from "../../../services/volumes/reconcile.ts";
import { volumeNamed } from "../../../services/volumes/store.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { blockDevice, characterDevice, directory, file, hardlink, symlink as link, tar } from "../../lab/tar.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
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

describe("backup and restore", () => {
  it("together make a volume that is the same to the last attribute", async () => {
    await using lab = await volumesLab();
    await createNamed(lab, "data");
    await makeRichTree(dataDirectory(lab, "data"));
    const archive = await backup(lab, "data");
    expect(archive.length).to.be.lessThan(64 << 10); // of 4 MiB with a hole and a byte
    const volume = await restore(lab, { name: "again", withDevices: true, labels: { a: "b" } }, [archive]);
    expect(volume).to.deep.include({ name: "again", labels: { a: "b" } });
    expect(await listing(dataDirectory(lab, "again"))).to.equal(await listing(dataDirectory(lab, "data")));
    await nothingIsHeld(lab, "data");
  });

  it("GNU tar reads a backup, and a restore what GNU tar writes", async () => {
    await using lab = await volumesLab();
    await using host = await temporaryDirectory();
    await createNamed(lab, "data");
    await makeRichTree(dataDirectory(lab, "data"));
    const path = join(host.path, "backup.tar.zst");
    await writeFile(path, await backup(lab, "data"));
    const target = join(host.path, "extracted");
    await mkdir(target);
    execFileSync("tar", ["--zstd", "--xattrs", "--xattrs-include=*", "-xpf", path, "-C", target]);
    expect(await listing(target)).to.equal(await listing(dataDirectory(lab, "data")));
    const packed = execFileSync("tar", [
      "--format=pax",
      "--sparse",
      "--xattrs",
      "--xattrs-include=*",
      "-c",
      "-C",
      target,
      ".",
    ]);
    await restore(lab, { name: "from-tar", withDevices: true }, [packed]);
    expect(await listing(dataDirectory(lab, "from-tar"))).to.equal(await listing(target));
  });

  it("a backup of a volume that is mounted has what is in the mount", async () => {
    await using lab = await volumesLab();
    const options = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
    await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name: "memory", options }), call());
    await lab.volumes.acquire({ holder: holder("box"), mounts: [volumeMount("/d", { source: "memory" })] }, call());
    await writeFile(join(dataDirectory(lab, "memory"), "file"), "kept");
    await restore(lab, { name: "plain" }, [await backup(lab, "memory")]);
    expect(await readFile(join(dataDirectory(lab, "plain"), "file"), "utf8")).to.equal("kept");
    const refused = restore(lab, { name: "memory", force: true }, [tar(file("x"))]);
    expect(await rejection(refused)).to.include({ reason: "VOLUME_NOT_REPLACEABLE" });
    await lab.volumes.release({ holder: "box", removeAnonymous: false }, call());
  });

  it("a reader that leaves ends a backup, and the volume is nobody's again", async () => {
    await using lab = await volumesLab();
    await createNamed(lab, "data");
    await writeFile(join(dataDirectory(lab, "data"), "large"), incompressible(8 << 20));
    for await (const _ of lab.volumes.backupVolume({ ref: "data", id: "" }, { signal: deadline(30_000, "back up") }))
      break;
    await eventually(async () => (await volumeNamed(lab.db, lab.node, "data"))?.holders.length === 0);
  });

  it("a restore fills an empty volume, replaces another one with force alone, and never one that is in use", async () => {
    await using lab = await volumesLab();
    await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name: "data", labels: { mine: "1" } }), call());
    await restore(lab, { name: "data" }, [tar(directory("./", { uid: 5, mode: 0o750 }), file("first", "1"))]);
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["first"]);
    const again = () => restore(lab, { name: "data" }, [tar(file("second", "2"))]);
    expect(await rejection(again())).to.include({ code: "FAILED_PRECONDITION", reason: "VOLUME_NOT_EMPTY" });
    await restore(lab, { name: "data", force: true }, [tar(file("second", "2"))]);
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["second"]);
    const { volume } = await lab.volumes.inspectVolume({ ref: "data", withSize: false }, call());
    expect(volume?.labels).to.deep.equal({ mine: "1" });
    await lab.volumes.acquire({ holder: holder("box"), mounts: [volumeMount("/d", { source: "data" })] }, call());
    const used = restore(lab, { name: "data", force: true }, [tar(file("third"))]);
    expect(await rejection(used)).to.include({ reason: "VOLUME_IN_USE" });
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["second"]);
  });

  for (const [what, members] of [
    ["a name that climbs out", [file("../escaped", "x")]],
    ["a name that climbs out on its way", [file("a/../../escaped", "x")]],
    ["a hard link to a file outside", [hardlink("link", "../../../../../../etc/hostname")]],
    ["a character device", [characterDevice("null", 1, 3)]],
    ["a block device", [blockDevice("disk", 8, 0)]],
  ] as const) {
    it(`a restore refuses ${what}, and leaves nothing`, async () => {
      await using lab = await volumesLab();
      const error = await rejection(restore(lab, { name: "data" }, [tar(...members)]));
      expect(error).to.include({ code: "INVALID_ARGUMENT" });
      expect(error).to.have.property("reason").that.is.oneOf(["VOLUME_ARCHIVE_CORRUPT", "VOLUME_PATH_REFUSED"]);
      expect(await names(lab)).to.deep.equal([]);
      expect(await readdir(lab.directories.incoming)).to.deep.equal([]);
      expect((await readdir(lab.directories.top)).sort()).to.deep.equal([".incoming", ".trash"]);
    });
  }

  it("a restore keeps a hostile archive's symlinks as they are, and never goes through one that leads out", async () => {
    await using lab = await volumesLab();
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "secret"), "theirs");
    const members = [
      link("out", host.path),
      link("up", "../../../../.."),
      file("up/etc/written", "x"),
      file("/absolute", "x"),
    ];
    await restore(lab, { name: "data" }, [tar(directory("etc"), ...members)]);
    expect(await readdir(host.path)).to.deep.equal(["secret"]);
    expect(await readdir(dataDirectory(lab, "data"))).to.include.members(["absolute", "etc", "out", "up"]);
    expect(await readdir(join(dataDirectory(lab, "data"), "etc"))).to.deep.equal(["written"]);
    const through = restore(lab, { name: "other" }, [tar(link("out", host.path), file("out/written", "x"))]);
    expect(await rejection(through)).to.include({ reason: "VOLUME_PATH_REFUSED" });
    expect(await readdir(host.path)).to.deep.equal(["secret"]);
    const linked = restore(lab, { name: "other" }, [tar(link("l", host.path), hardlink("stolen", "l/secret"))]);
    await rejection(linked);
    expect(await names(lab)).to.deep.equal(["data"]);
  });

  it("a restore of half an archive, or of none, leaves the volume as it was", async () => {
    await using lab = await volumesLab();
    await restore(lab, { name: "data" }, [tar(file("precious", "1"))]);
    const whole = zstdCompressSync(tar(file("large", incompressible(1 << 20))));
    for (const broken of [whole.subarray(0, whole.length >> 1), Buffer.alloc(5000, "no archive at all")]) {
      const error = await rejection(restore(lab, { name: "data", force: true }, [broken]));
      expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "VOLUME_ARCHIVE_CORRUPT" });
    }
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["precious"]);
    expect(await readdir(lab.directories.incoming)).to.deep.equal([]);
  });

  it("a restore whose sender goes away is undone", async () => {
    await using lab = await volumesLab();
    const leaving = new AbortController();
    const sending = rejection(
      restore(lab, { name: "data" }, endless(tar(file("first", "1")).subarray(0, 1024)), leaving.signal),
    );
    await eventually(async () => (await readdir(lab.directories.incoming)).length > 0);
    leaving.abort();
    await sending;
    await eventually(async () => (await readdir(lab.directories.incoming)).length === 0);
    expect(await names(lab)).to.deep.equal([]);
  });

  it("a restore that was killed before its end is cleared up, the old content untouched", async () => {
    await using lab = await volumesLab();
    await restore(lab, { name: "data" }, [tar(file("precious", "1"))]);
    const id = "11111111-1111-4111-8111-111111111111";
    await symlink("/etc", join(await makeIncoming(lab.directories, { id }), "half"));
    await reconcile(lab.deps, lab.directories, deadline(30_000, "reconcile"));
    expect(await readdir(lab.directories.incoming)).to.deep.equal([]);
    expect(await readdir(dataDirectory(lab, "data"))).to.deep.equal(["precious"]);
  });
});

async function backup(lab: VolumesLab, ref: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of lab.volumes.backupVolume({ ref, id: "" }, { signal: deadline(60_000, "back up") }))
    chunks.push(data);
  return Buffer.concat(chunks);
}

async function restore(
  lab: VolumesLab,
  open: { name: string; force?: boolean; withDevices?: boolean; labels?: Record<string, string> },
  chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[],
  signal = deadline(60_000, "restore"),
): Promise<Volume | undefined> {
  async function* requests(): AsyncGenerator<RestoreVolumeRequest> {
    yield RestoreVolumeRequest.fromPartial({ part: { $case: "open", value: open } });
    for await (const value of chunks) yield { part: { $case: "data", value: Buffer.from(value) } };
  }
  let volume: Volume | undefined;
  for await (const answer of lab.volumes.restoreVolume(requests(), { signal })) volume = answer.volume;
  return volume;
}

async function* endless(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk;
  await new Promise<void>((resolve) => setTimeout(resolve, 60_000).unref());
}

function incompressible(size: number): Uint8Array {
  return Buffer.concat(Array.from({ length: size >> 16 }, random));
}

function random(): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
}
