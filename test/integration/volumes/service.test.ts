import { chown, lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  CreateVolumeRequest,
  ListVolumesRequest,
  MountType,
  type Volume,
  VolumesService,
} from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { isMounted } from "../../../services/volumes/drivers/local/mounting.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { bindOf, call, dataDirectory, holder, type VolumesLab, volumeMount, volumesLab } from "./volumes-lab.ts";

describe("the volumes service", () => {
  describe("create", () => {
    it("makes a directory in Docker's place, and shows what was asked for", async () => {
      await using lab = await volumesLab();
      const volume = await create(lab, { name: "data", labels: { env: "test" } });
      expect(volume).to.deep.include({
        name: "data",
        driver: "local",
        labels: { env: "test" },
        options: {},
        mountpoint: dataDirectory(lab, "data"),
        isAnonymous: false,
        holders: [],
      });
      expect(Math.abs((volume.created?.seconds ?? 0) * 1_000 - Date.now())).to.be.lessThan(60_000);
      expect((await lstat(volume.mountpoint)).mode & 0o777).to.equal(0o755);
    });

    it("answers the volume that is there, its labels as they were", async () => {
      await using lab = await volumesLab();
      const volume = await create(lab, { name: "data", labels: { one: "1" } });
      expect(await create(lab, { name: "data", driver: "local", labels: { two: "2" } })).to.deep.equal(volume);
    });

    it("makes one volume for many who ask at once, in two replicas", async () => {
      await using lab = await volumesLab();
      await using replica = await lab.replica();
      const clients = [lab.volumes, replica.client(VolumesService)];
      const request = CreateVolumeRequest.fromPartial({ name: "data" });
      await Promise.all([0, 1, 0, 1, 0, 1].map((which) => clients[which]?.createVolume(request, call())));
      expect(await names(lab)).to.deep.equal(["data"]);
    });

    it("chooses a name when none is given", async () => {
      await using lab = await volumesLab();
      const volume = await create(lab, {});
      expect(volume.name).to.match(/^[0-9a-f]{64}$/);
      expect(volume.isAnonymous).to.equal(true);
    });

    for (const [what, request, code, reason] of [
      ["a name with a slash", { name: "../x" }, "INVALID_ARGUMENT", "VOLUME_NAME_INVALID"],
      ["an unknown driver", { name: "data", driver: "cloud" }, "NOT_FOUND", "VOLUME_DRIVER_NOT_FOUND"],
      ["an unknown option", { name: "data", options: { size: "1g" } }, "INVALID_ARGUMENT", "VOLUME_OPTION_INVALID"],
    ] as const) {
      it(`refuses ${what}, and leaves nothing`, async () => {
        await using lab = await volumesLab();
        expect(await rejection(create(lab, request))).to.include({ code, reason });
        expect(await names(lab)).to.deep.equal([]);
        expect(await lab.directoryNames()).to.deep.equal([]);
      });
    }

    it("refuses a name whose volume has other options", async () => {
      await using lab = await volumesLab();
      await create(lab, { name: "data" });
      const options = { type: "tmpfs", device: "tmpfs" };
      expect(await rejection(create(lab, { name: "data", options }))).to.include({
        code: "ALREADY_EXISTS",
        reason: "VOLUME_NAME_IN_USE",
      });
    });
  });

  describe("list", () => {
    it("filters as Docker does", async () => {
      await using lab = await volumesLab();
      await create(lab, { name: "web-data", labels: { env: "test", app: "web" } });
      await create(lab, { name: "web-cache", labels: { env: "prod" } });
      await create(lab, { name: "db-data" });
      await lab.volumes.acquire({ holder: holder("box"), mounts: [volumeMount("/d", { source: "db-data" })] }, call());
      const filtered = (key: string, ...values: string[]) => names(lab, [{ key, values }]);
      expect(await filtered("name", "data")).to.deep.equal(["db-data", "web-data"]);
      expect(await filtered("name", "^web", "^db")).to.deep.equal(["db-data", "web-cache", "web-data"]);
      expect(await filtered("dangling", "true")).to.deep.equal(["web-cache", "web-data"]);
      expect(await filtered("dangling", "0")).to.deep.equal(["db-data"]);
      expect(await filtered("label", "env")).to.deep.equal(["web-cache", "web-data"]);
      expect(await filtered("label", "env=test", "app")).to.deep.equal(["web-data"]);
      expect(await filtered("label", "env=test", "env=prod")).to.deep.equal([]);
      expect(await filtered("driver", "local", "other")).to.have.lengthOf(3);
      expect(await filtered("driver", "other")).to.deep.equal([]);
    });

    it("refuses a pattern that Postgres cannot read, and an unknown filter", async () => {
      await using lab = await volumesLab();
      const refused = { code: "INVALID_ARGUMENT" };
      expect(await rejection(names(lab, [{ key: "name", values: ["(?<x>a)"] }]))).to.include(refused);
      expect(await rejection(names(lab, [{ key: "size", values: ["1"] }]))).to.include(refused);
    });

    it("leads through all pages, whatever comes and goes meanwhile", async () => {
      await using lab = await volumesLab();
      for (const name of ["v1", "v2", "v3", "v4", "v5"]) await create(lab, { name });
      const first = await page(lab, "");
      expect(first.names).to.deep.equal(["v1", "v2"]);
      await remove(lab, "v2");
      const second = await page(lab, first.next);
      expect(second.names).to.deep.equal(["v3", "v4"]);
      const third = await page(lab, second.next);
      expect(third).to.deep.equal({ names: ["v5"], next: "" });
    });
  });

  describe("remove", () => {
    it("takes row, directory and content, and leaves nothing in the trash", async () => {
      await using lab = await volumesLab();
      const { mountpoint } = await create(lab, { name: "data" });
      await mkdir(join(mountpoint, "deep/er"), { recursive: true });
      await writeFile(Buffer.concat([Buffer.from(`${mountpoint}/deep/`), Buffer.from([0xff, 0xfe])]), "x");
      expect(await remove(lab, "data")).to.deep.equal({ changed: true });
      expect(await names(lab)).to.deep.equal([]);
      expect(await lab.directoryNames()).to.deep.equal([]);
      await eventually(async () => (await readdir(lab.directories.trash)).length === 0);
    });

    it("is refused while containers refer to the volume, and names them", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/d", { source: "data" })];
      await lab.volumes.acquire({ holder: holder("first"), mounts }, call());
      await lab.volumes.acquire({ holder: holder("second"), mounts }, call());
      const error = await rejection(remove(lab, "data"));
      expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "VOLUME_IN_USE" });
      expect(error).to.have.property("why").that.includes("first").and.includes("second");
      expect(await lab.directoryNames()).to.deep.equal(["data"]);
    });

    it("of what is not there is an error, unless forced", async () => {
      await using lab = await volumesLab();
      expect(await rejection(remove(lab, "data"))).to.include({ code: "NOT_FOUND", reason: "VOLUME_NOT_FOUND" });
      expect(await lab.volumes.removeVolume({ ref: "data", force: true }, call())).to.deep.equal({ changed: false });
    });

    it("races with acquire so that either wins, never both", async () => {
      await using lab = await volumesLab();
      for (let round = 0; round < 10; round++) {
        await create(lab, { name: "data" });
        const [removed, acquired] = await Promise.allSettled([
          remove(lab, "data"),
          lab.volumes.acquire(
            { holder: holder("box", `op${round}`), mounts: [volumeMount("/d", { source: "data" })] },
            call(),
          ),
        ]);
        expect(acquired.status, String(removed.status)).to.equal("fulfilled");
        expect(await lab.directoryNames()).to.deep.equal(["data"]);
        await lab.volumes.release({ holder: "box", removeAnonymous: false }, call());
      }
    });
  });

  describe("acquire", () => {
    it("answers host paths in the order asked for", async () => {
      await using lab = await volumesLab();
      await using host = await temporaryDirectory();
      const mounts = [
        volumeMount("/named", { source: "data", readOnly: true }),
        bindOf(host.path, "/bound", { propagation: "rslave" }),
        { ...volumeMount("/scratch", { tmpfsOptions: ["size=1m"] }), type: MountType.TMPFS },
      ];
      const acquired = await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      const empty = {
        name: "",
        driver: "",
        source: "",
        propagation: "",
        readOnly: false,
        needsCopyUp: false,
        tmpfsOptions: [],
        subpath: "",
        recursive: "",
        restrictions: [],
      };
      const source = dataDirectory(lab, "data");
      const named = { ...empty, name: "data", driver: "local", source, readOnly: true, needsCopyUp: true };
      expect(acquired.warnings).to.deep.equal([]);
      expect(acquired.mounts).to.deep.equal([
        { ...named, type: MountType.VOLUME, target: "/named" },
        { ...empty, type: MountType.BIND, target: "/bound", source: host.path, propagation: "rslave" },
        { ...empty, type: MountType.TMPFS, target: "/scratch", tmpfsOptions: ["noexec", "nosuid", "nodev", "size=1m"] },
      ]);
    });

    it("gives each place without a name a volume of its own, the same to the holder ever after", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/a"), volumeMount("/b", { isFromImage: true })];
      const first = await lab.volumes.acquire({ holder: holder("box", "run"), mounts }, call());
      const again = await lab.volumes.acquire({ holder: holder("box", "start"), mounts }, call());
      expect(again).to.deep.equal(first);
      expect(new Set(first.mounts.map(({ name }) => name)).size).to.equal(2);
      expect(await names(lab)).to.have.lengthOf(2);
    });

    it("asks for no copy-up where nocopy is said or content is there", async () => {
      await using lab = await volumesLab();
      const { mountpoint } = await create(lab, { name: "full" });
      await writeFile(join(mountpoint, "file"), "content");
      const mounts = [volumeMount("/a", { source: "full" }), volumeMount("/b", { source: "empty", noCopy: true })];
      const acquired = await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      expect(acquired.mounts.map(({ needsCopyUp }) => needsCopyUp)).to.deep.equal([false, false]);
    });

    it("makes the missing host directory of a -v and says so, and refuses that of a --mount", async () => {
      await using lab = await volumesLab();
      await using host = await temporaryDirectory();
      const source = join(host.path, "new/one");
      const strict = [bindOf(source, "/d")];
      const error = await rejection(lab.volumes.acquire({ holder: holder("box"), mounts: strict }, call()));
      expect(error).to.include({
        code: "INVALID_ARGUMENT",
        reason: "BIND_SOURCE_MISSING",
        why: "bind source path does not exist",
      });
      const mounts = [bindOf(source, "/d", { createSource: true })];
      const acquired = await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      expect(acquired.warnings).to.have.lengthOf(1);
      expect(acquired.warnings[0]).to.include(source);
      expect((await lstat(source)).isDirectory()).to.equal(true);
      expect((await lab.volumes.acquire({ holder: holder("box"), mounts }, call())).warnings).to.deep.equal([]);
    });

    it("refuses a host path below a file, with the kernel's word", async () => {
      await using lab = await volumesLab();
      const mounts = [bindOf("/etc/passwd/x", "/d", { createSource: true })];
      const error = await rejection(lab.volumes.acquire({ holder: holder("box"), mounts }, call()));
      expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "BIND_SOURCE_REFUSED" });
      expect(error).to.have.property("why").that.includes("ENOTDIR");
    });

    it("gives an empty volume the owner that is asked for, once; what has content keeps its own, and it is said", async () => {
      await using lab = await volumesLab();
      const owned = (uid: number) => [volumeMount("/d", { source: "data", uid, gid: 1001, noCopy: true })];
      const volume = dataDirectory(lab, "data");
      const first = await lab.volumes.acquire({ holder: holder("box"), mounts: owned(1000) }, call());
      expect(first.warnings).to.deep.equal([]);
      expect(await lstat(volume)).to.include({ uid: 1000, gid: 1001 });
      await chown(volume, 5, 5);
      await lab.volumes.acquire({ holder: holder("box", "again"), mounts: owned(1000) }, call());
      expect(await lstat(volume)).to.include({ uid: 5, gid: 5 });
      await writeFile(join(volume, "file"), "");
      const second = await lab.volumes.acquire({ holder: holder("other"), mounts: owned(1000) }, call());
      expect(second.warnings).to.deep.equal([
        "volume data belongs to 5:5 and not to 1000:1001: what has content is not changed",
      ]);
      expect(await lstat(join(volume, "file"))).to.include({ uid: 0, gid: 0 });
    });

    it("says of a volume who made it and where containers have it", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/one", { source: "data" }), volumeMount("/two", { source: "data" })];
      await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      await writeFile(join(dataDirectory(lab, "data"), "file"), Buffer.alloc(100_000, 1));
      const { volume } = await lab.volumes.inspectVolume({ ref: "data", withSize: true }, call());
      expect(volume).to.include({ createdBy: "container:box" });
      expect(volume?.uses).to.deep.equal([
        { holder: "box", target: "/one" },
        { holder: "box", target: "/two" },
      ]);
      expect(volume?.sizeBytes).to.be.within(100_000, 200_000);
    });

    it("refuses another volume at a place that the container has a volume at", async () => {
      await using lab = await volumesLab();
      const at = (source: string) => ({ holder: holder("box"), mounts: [volumeMount("/d", { source })] });
      await lab.volumes.acquire(at("one"), call());
      expect(await rejection(lab.volumes.acquire(at("two"), call()))).to.include({
        code: "FAILED_PRECONDITION",
        reason: "MOUNT_TARGET_TAKEN",
      });
      expect(await names(lab)).to.deep.equal(["one"]);
    });

    it("refuses a request that names no holder or an unknown kind of mount", async () => {
      await using lab = await volumesLab();
      const nobody = lab.volumes.acquire({ holder: undefined, mounts: [] }, call());
      expect(await rejection(nobody)).to.include({ reason: "HOLDER_MISSING" });
      const mounts = [{ ...volumeMount("/d"), type: MountType.UNSPECIFIED }];
      const strange = lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      expect(await rejection(strange)).to.include({ reason: "MOUNT_TYPE_UNKNOWN" });
    });

    it("gives two containers that come at once one volume", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/d", { source: "shared" })];
      const boxes = ["a", "b", "c", "d"];
      await Promise.all(boxes.map((box) => lab.volumes.acquire({ holder: holder(box), mounts }, call())));
      const { volume } = await lab.volumes.inspectVolume({ ref: "shared", withSize: false }, call());
      expect(volume?.holders).to.deep.equal(boxes);
    });
  });

  describe("undo", () => {
    it("keeps a volume that a person asked for meanwhile", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/d", { source: "data" })];
      await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      await create(lab, { name: "data" });
      await lab.volumes.undoAcquire({ holder: holder("box") }, call());
      expect(await names(lab)).to.deep.equal(["data"]);
    });

    it("keeps a volume that another container refers to by now, and takes it no later", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/d", { source: "data" })];
      await lab.volumes.acquire({ holder: holder("one"), mounts }, call());
      await lab.volumes.acquire({ holder: holder("two"), mounts }, call());
      await lab.volumes.undoAcquire({ holder: holder("one") }, call());
      const { volume } = await lab.volumes.inspectVolume({ ref: "data", withSize: false }, call());
      expect(volume?.holders).to.deep.equal(["two"]);
      await lab.volumes.release({ holder: "two", removeAnonymous: false }, call());
      await lab.volumes.undoAcquire({ holder: holder("one") }, call());
      expect(await names(lab)).to.deep.equal(["data"]);
    });
  });

  describe("release", () => {
    it("with the anonymous volumes takes only those, and none that another container uses", async () => {
      await using lab = await volumesLab();
      const mounts = [volumeMount("/named", { source: "data" }), volumeMount("/own"), volumeMount("/lent")];
      const acquired = await lab.volumes.acquire({ holder: holder("box"), mounts }, call());
      const lent = acquired.mounts[2]?.name ?? "";
      await lab.volumes.acquire({ holder: holder("guest"), mounts: [volumeMount("/d", { source: lent })] }, call());
      await lab.volumes.release({ holder: "box", removeAnonymous: true }, call());
      expect(await names(lab)).to.deep.equal([lent, "data"].sort());
      await lab.volumes.release({ holder: "box", removeAnonymous: true }, call());
      expect(await names(lab)).to.have.lengthOf(2);
    });

    it("without them keeps all", async () => {
      await using lab = await volumesLab();
      await lab.volumes.acquire({ holder: holder("box"), mounts: [volumeMount("/own")] }, call());
      await lab.volumes.release({ holder: "box", removeAnonymous: false }, call());
      expect(await names(lab)).to.have.lengthOf(1);
      expect(await names(lab, [{ key: "dangling", values: ["true"] }])).to.have.lengthOf(1);
    });
  });

  describe("a volume with mount options", () => {
    it("is mounted for the first container and unmounted with the last, its content never deleted with it", async () => {
      await using lab = await volumesLab();
      await using host = await temporaryDirectory();
      await writeFile(join(host.path, "precious"), "data");
      const { mountpoint } = await create(lab, {
        name: "outside",
        options: { type: "none", device: host.path, o: "bind,ro" },
      });
      expect(await isMounted(mountpoint)).to.equal(false);
      const mounts = [volumeMount("/d", { source: "outside" })];
      await lab.volumes.acquire({ holder: holder("one"), mounts }, call());
      await lab.volumes.acquire({ holder: holder("two"), mounts }, call());
      expect(await readFile(join(mountpoint, "precious"), "utf8")).to.equal("data");
      expect(await rejection(writeFile(join(mountpoint, "new"), ""))).to.include({ code: "EROFS" });
      await lab.volumes.release({ holder: "one", removeAnonymous: false }, call());
      expect(await isMounted(mountpoint)).to.equal(true);
      await lab.volumes.release({ holder: "two", removeAnonymous: false }, call());
      expect(await isMounted(mountpoint)).to.equal(false);
      await remove(lab, "outside");
      await eventually(async () => (await readdir(lab.directories.trash)).length === 0);
      expect(await readdir(host.path)).to.deep.equal(["precious"]);
    });

    it("that the kernel refuses is an error with the kernel's word, undone whole", async () => {
      await using lab = await volumesLab();
      const driverOptions = { type: "none", device: "/does/not/exist", o: "bind" };
      const mounts = [volumeMount("/d", { source: "broken", driverOptions })];
      const error = await rejection(lab.volumes.acquire({ holder: holder("box"), mounts }, call()));
      expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "VOLUME_MOUNT_REFUSED" });
      expect(error).to.have.property("why").that.includes("ENOENT");
      await lab.volumes.undoAcquire({ holder: holder("box") }, call());
      expect(await names(lab)).to.deep.equal([]);
      expect(await lab.directoryNames()).to.deep.equal([]);
    });
  });

  it("watch tells what happened, as Docker names it, and goes on behind a cursor", async () => {
    await using lab = await volumesLab();
    const range = { sinceTime: undefined, untilTime: undefined, filters: [] };
    const seen: { cursor: string; text: string }[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      const signal = AbortSignal.any([stop.signal, deadline(10_000, "watch")]);
      for await (const { event } of lab.volumes.watch({ ...range, since: "0-0" }, { signal })) {
        const attributes = Object.entries(event?.attributes ?? {})
          .sort()
          .map(([key, value]) => `${key}=${value}`);
        seen.push({
          cursor: event?.cursor ?? "",
          text: [event?.type, event?.action, event?.id, ...attributes].join(" "),
        });
      }
    })().catch(() => {});
    await lab.volumes.acquire({ holder: holder("box"), mounts: [volumeMount("/d", { source: "data" })] }, call());
    await lab.volumes.release({ holder: "box", removeAnonymous: true }, call());
    await remove(lab, "data");
    await eventually(() => seen.length >= 4);
    stop.abort();
    await watching;
    expect(seen.map(({ text }) => text)).to.deep.equal([
      "volume create data driver=local",
      "volume mount data container=box destination=/d driver=local read/write=true",
      "volume unmount data container=box driver=local",
      "volume destroy data driver=local",
    ]);
    const rest = lab.volumes.watch({ ...range, since: seen[2]?.cursor ?? "" }, call());
    for await (const { event } of rest) {
      expect(event).to.include({ action: "destroy" });
      break;
    }
  });
});

async function create(lab: VolumesLab, request: Partial<CreateVolumeRequest>): Promise<Volume> {
  const { volume } = await lab.volumes.createVolume(CreateVolumeRequest.fromPartial(request), call());
  if (volume === undefined) throw new Error("no volume in the answer");
  return volume;
}

async function remove(lab: VolumesLab, ref: string) {
  return lab.volumes.removeVolume({ ref, force: false }, call());
}

async function names(lab: VolumesLab, filters: { key: string; values: string[] }[] = []): Promise<string[]> {
  const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.fromPartial({ filters }), call());
  return volumes.map(({ name }) => name);
}

async function page(lab: VolumesLab, pageToken: string): Promise<{ names: string[]; next: string }> {
  const { volumes, nextPageToken } = await lab.volumes.listVolumes(
    { withSize: false, filters: [], pageSize: 2, pageToken },
    call(),
  );
  return { names: volumes.map(({ name }) => name), next: nextPageToken };
}
