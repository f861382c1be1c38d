import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  isMounted,
  mountRootfs,
  rootfsDirectories,
  unmountRootfs,
} from "../../../../services/containers/rootfs/overlay.ts";
import { shareRoot } from "../../../../services/containers/rootfs/shared-root.ts";
import { directorySizeBytes } from "../../../../services/kit/directory-size.ts";
import { bindMount, bindUnmount } from "../../../../services/kit/linux/mount.ts";
import { readMountinfo } from "../../../../services/kit/linux/mountinfo.ts";
import { eventually } from "../../../lab/eventually.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";
import { logText } from "./log-text.ts";
import { CRUN, openRooms, type Rooms, signal, startContainer } from "./rooms.ts";

describe("a container's root", () => {
  let rooms: Rooms;
  before(async () => {
    rooms = await openRooms(CRUN);
  });
  after(() => rooms[Symbol.asyncDispose]());

  const mount = (name: string, layers: readonly string[]) => {
    const directories = rootfsDirectories(join(rooms.containers, name));
    const request = { directories, layers, isVolatile: false };
    return { directories, mounted: mountRootfs(request, (one) => rooms.thread.mountRoot(one)) };
  };

  it("is made of 128 layers, the upper ones over the lower ones", async () => {
    const layers: string[] = [];
    for (let number = 0; number < 128; number++) {
      const layer = join(rooms.images, "l", `m${number.toString(36)}`);
      await mkdir(layer);
      await writeFile(join(layer, "top"), String(number));
      await writeFile(join(layer, `only-${number}`), "");
      layers.push(`l/m${number.toString(36)}`);
    }
    const { directories, mounted } = mount("many", layers);
    await mounted;
    expect(await readFile(join(directories.merged, "top"), "utf8")).to.equal("127");
    expect(await readdir(directories.merged)).to.have.length(129);
    expect(await unmountRootfs(directories)).to.deep.equal({ changed: true, detached: false });
    expect(await unmountRootfs(directories)).to.deep.equal({ changed: false, detached: false });
  });

  it("is mounted once, however often it is asked for", async () => {
    for (let round = 0; round < 3; round++) await mount("once", ["l/1"]).mounted;
    const directories = rootfsDirectories(join(rooms.containers, "once"));
    const entries = (await readMountinfo()).filter(({ mountPoint }) => mountPoint === directories.merged);
    expect(entries).to.have.length(1);
    await unmountRootfs(directories);
    expect(await isMounted(directories.merged)).to.equal(false);
  });

  it("says that a layer is missing, and that names are too long", async () => {
    expect(await rejection(mount("missing", ["l/none"]).mounted)).to.include({ reason: "ROOTFS_LAYER_MISSING" });
    const long = Array.from({ length: 128 }, () => "l/".padEnd(40, "x"));
    expect(await rejection(mount("long", long).mounted)).to.include({ reason: "ROOTFS_TOO_MANY_LAYERS" });
  });

  it("exists for an image without layers", async () => {
    const { directories, mounted } = mount("scratch", []);
    await mounted;
    expect(await readdir(directories.merged)).to.deep.equal([]);
    await unmountRootfs(directories);
  });

  it("keeps what is written to it apart from its layers, and that is what its size counts", async () => {
    await using container = await startContainer(rooms, ["sh", "-c", "head -c 1000000 /dev/zero >/big; rm /bin/plain"]);
    await container.ended();
    const { upper } = rootfsDirectories(container.bundlePath);
    expect(await directorySizeBytes(upper, signal())).to.be.within(1_000_000, 1_100_000);
    expect((await stat(join(rooms.images, "l/1/bin/plain"))).isFile()).to.equal(true);
  });

  it("lies in a shared mount, made once", async () => {
    await using directory = await temporaryDirectory("shared");
    const path = join(directory.path, "root");
    await shareRoot(path);
    await shareRoot(path);
    const entries = (await readMountinfo()).filter(({ mountPoint }) => mountPoint === path);
    expect(entries.map(({ propagation }) => propagation)).to.deep.equal(["shared"]);
    expect(await bindUnmount()(path)).to.equal(true);
  });

  it("gets a bind of a mount that the host made after the service's start", async () => {
    await using directory = await temporaryDirectory("late");
    bindMount()({ source: "tmpfs", target: directory.path, type: "tmpfs" });
    await writeFile(join(directory.path, "late"), "seen\n");
    try {
      await rooms.thread.seeHostMounts();
      const mounts = [
        { kind: "bind", source: directory.path, target: "/late", isReadOnly: false, propagation: "rprivate" },
      ] as const;
      await using container = await startContainer(rooms, ["cat", "/late/late"], { mounts });
      await container.ended();
      expect(await logText(container)).to.equal("seen\n");
    } finally {
      await bindUnmount()(directory.path, 2);
    }
  });

  it("hands on what a container mounts in a shared volume, and what the host mounts there", async () => {
    await using directory = await temporaryDirectory("volume");
    await shareRoot(directory.path);
    const mounts = [
      { kind: "bind", source: directory.path, target: "/v", isReadOnly: false, propagation: "rshared" },
    ] as const;
    const script =
      "mkdir /v/in /v/out; mount -t tmpfs x /v/in; echo done; until test -e /v/out/there; do usleep 9999; done";
    const spec = { capAdd: ["SYS_ADMIN"] };
    try {
      await rooms.thread.seeHostMounts();
      await using container = await startContainer(rooms, ["sh", "-c", script], { mounts, spec });
      await eventually(async () => isMounted(join(directory.path, "in")));
      bindMount()({ source: "tmpfs", target: join(directory.path, "out"), type: "tmpfs" });
      await writeFile(join(directory.path, "out/there"), "");
      expect((await container.ended()).exitCode).to.equal(0);
    } finally {
      for (const name of ["in", "out"]) await bindUnmount()(join(directory.path, name), 2);
      await bindUnmount()(directory.path, 2);
    }
  });
});
