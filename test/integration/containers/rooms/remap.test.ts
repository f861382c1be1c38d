import { appendFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { openRemap, shiftOf, type UserRemap } from "../../../../services/containers/host/remap.ts";
import { mountRootfs, rootfsDirectories, unmountRootfs } from "../../../../services/containers/rootfs/overlay.ts";
import { userMappingFor } from "../../../../services/containers/spec/user-namespace.ts";
import { bindMount, bindUnmount, MountFlag, UnmountFlag } from "../../../../services/kit/linux/mount.ts";
import { readMountinfo } from "../../../../services/kit/linux/mountinfo.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { CRUN, openRooms, type Rooms } from "./rooms.ts";

const FIRST = 700_000;

describe("roots with shifted owners", () => {
  let rooms: Rooms;
  let remap: UserRemap;
  const open = async (root: string, run: string, usernsRemap = "root") =>
    openRemap({ usernsRemap, root, run }, (request) => rooms.thread.mountRoot(request));
  before(async () => {
    for (const file of ["/etc/subuid", "/etc/subgid"]) await appendFile(file, `\nroot:${FIRST}:65536\n`);
    rooms = await openRooms(CRUN);
    const opened = await open(join(rooms.containers, ".."), rooms.stateRoot);
    if (opened === undefined) throw new Error("there is no mapping");
    remap = opened;
  });
  after(async () => {
    remap[Symbol.dispose]();
    await rooms[Symbol.asyncDispose]();
  });

  it("are made of 100 layers whose own owners stay; nothing else of it is mounted afterwards", async () => {
    const layers: string[] = [];
    for (let number = 0; number < 100; number++) {
      const name = `l/s${number.toString(36)}`;
      await mkdir(join(rooms.images, name));
      await writeFile(join(rooms.images, name, `only-${number}`), String(number));
      layers.push(name);
    }
    const directories = rootfsDirectories(join(rooms.containers, "shifted"));
    await mountRootfs({ directories, layers, isVolatile: false, shift: remap }, (request) =>
      rooms.thread.mountRoot(request),
    );
    try {
      expect(await readFile(join(directories.merged, "only-99"), "utf8")).to.equal("99");
      for (const name of ["only-0", "only-99", "."]) {
        expect((await stat(join(directories.merged, name))).uid, name).to.equal(FIRST);
      }
      expect((await stat(join(rooms.images, "l/s0/only-0"))).uid).to.equal(0);
      const left = (await readMountinfo()).filter(({ mountPoint }) => mountPoint.includes("/layers/"));
      expect(left).to.deep.equal([]);
      expect(await readdir(join(rooms.stateRoot, "layers"))).to.deep.equal([]);
    } finally {
      await unmountRootfs(directories);
    }
  });

  it("are made again behind a service that was killed in between, and its mounts go", async () => {
    const gone = join(rooms.stateRoot, "layers", "4194304"); // above the kernel's highest pid
    await mkdir(gone);
    bindMount()({ source: join(rooms.images, "l/1"), target: gone, flags: MountFlag.bind });
    using again = await open(join(rooms.containers, ".."), rooms.stateRoot);
    expect(again?.mapping).to.deep.equal(remap.mapping);
    expect(await readdir(join(rooms.stateRoot, "layers"))).to.deep.equal([]);
    expect(await readdir(join(rooms.images, "l/1"))).to.not.deep.equal([]);
  });

  it("are refused where the file system has no such mounts, and nothing is left", async () => {
    await using directory = await temporaryDirectory();
    bindMount()({ source: "ramfs", target: directory.path, type: "ramfs" });
    try {
      await mkdir(join(directory.path, "containers"));
      const error = await rejection(open(directory.path, rooms.stateRoot));
      expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "USERNS_REMAP_UNSUPPORTED" });
      expect(await readdir(join(directory.path, "containers"))).to.deep.equal([]);
    } finally {
      await bindUnmount()(directory.path, UnmountFlag.lazy);
    }
  });

  it("belong to containers that were created with this mapping, and to no others", () => {
    expect(shiftOf({ name: "box" }, remap)).to.equal(undefined);
    expect(shiftOf({ name: "box", userMapping: remap.mapping }, remap)).to.equal(remap);
    const other = { ...remap.mapping, uids: [{ containerID: 0, hostID: 1, size: 1 }] };
    for (const now of [remap, undefined]) {
      expect(() => shiftOf({ name: "box", userMapping: other }, now))
        .to.throw()
        .with.property("reason", "USERNS_REMAP_CHANGED");
    }
  });

  it("are for who does not opt out; another mode is refused", () => {
    const wish = { usernsMode: "", networks: [] };
    const spec = { privileged: false, namespaces: { ipc: "", pid: "", uts: "", cgroup: "" } };
    expect(userMappingFor(wish, spec, remap.mapping)).to.equal(remap.mapping);
    expect(userMappingFor({ ...wish, usernsMode: "host" }, { ...spec, privileged: true }, remap.mapping)).to.equal(
      undefined,
    );
    expect(userMappingFor(wish, { ...spec, privileged: true }, undefined)).to.equal(undefined);
    expect(() => userMappingFor({ ...wish, usernsMode: "keep-id" }, spec, remap.mapping))
      .to.throw()
      .with.property("reason", "USERNS_MODE_INVALID");
  });
});
