import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { expect } from "chai";
import { CreateVolumeRequest, ListVolumesRequest } from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { isMounted } from "../../../services/volumes/drivers/local/mounting.ts";
import { reconcile } from "../../../services/volumes/reconcile.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { call, dataDirectory, holder, type VolumesLab, volumeMount, volumesLab } from "./volumes-lab.ts";

const SOCKETS = "/run/docker/plugins";

describe("a volume of a plugin", () => {
  it("is made, mounted for the first container, unmounted with the last, and removed by its plugin", async () => {
    await using lab = await volumesLab();
    await using plugin = await testPlugin();
    await create(lab, plugin.name, { size: "1" });
    expect(plugin.volumes.get("far")).to.deep.equal({ size: "1" });
    for (const box of ["one", "two"]) {
      const mounts = [volumeMount("/d", { source: "far" })];
      const { mounts: got } = await lab.volumes.acquire({ holder: holder(box), mounts }, call());
      expect(got[0]).to.include({ driver: plugin.name, source: dataDirectory(lab, "far") });
    }
    await writeFile(join(dataDirectory(lab, "far"), "file"), "kept");
    expect(await readFile(join(plugin.directory, "far/file"), "utf8")).to.equal("kept");
    expect(plugin.called("Mount")).to.equal(1);
    await lab.volumes.release({ holder: "one", removeAnonymous: false }, call());
    expect(await isMounted(dataDirectory(lab, "far"))).to.equal(true);
    await lab.volumes.release({ holder: "two", removeAnonymous: false }, call());
    expect(await isMounted(dataDirectory(lab, "far"))).to.equal(false);
    expect(plugin.called("Unmount")).to.equal(1);
    await lab.volumes.removeVolume({ ref: "far", force: false }, call());
    expect([...plugin.volumes.keys()]).to.deep.equal([]);
    expect(await lab.directoryNames()).to.deep.equal([]);
  });

  it("is not taken for a local one by reconcile, and what nobody refers to is unmounted", async () => {
    await using lab = await volumesLab();
    await using plugin = await testPlugin();
    await create(lab, plugin.name);
    await reconcile(lab.deps, lab.directories, deadline(30_000, "reconcile"));
    const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.create(), call());
    expect(volumes.map(({ name, driver }) => `${name} ${driver}`)).to.deep.equal([`far ${plugin.name}`]);
    await lab.volumes.removeVolume({ ref: "far", force: false }, call());
  });

  it("whose plugin is gone is listed, and using it says which plugin does not answer", async () => {
    await using lab = await volumesLab();
    {
      await using plugin = await testPlugin();
      await create(lab, plugin.name);
    }
    const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.create(), call());
    expect(volumes).to.have.lengthOf(1);
    const mounts = [volumeMount("/d", { source: "far" })];
    const error = await rejection(lab.volumes.acquire({ holder: holder("box"), mounts }, call()));
    expect(error).to.include({ reason: "VOLUME_DRIVER_NOT_FOUND" });
    await lab.volumes.release({ holder: "box", removeAnonymous: false }, call());
  });

  for (const [what, method, answer, reason] of [
    ["an error of its own", "VolumeDriver.Create", '{"Err":"out of space\\u0007"}', "VOLUME_PLUGIN_FAILED"],
    ["something that is no JSON", "VolumeDriver.Create", "<html>", "VOLUME_PLUGIN_FAILED"],
    ["more than a megabyte", "VolumeDriver.Create", `{"Err":"${"x".repeat(2 << 20)}"}`, "VOLUME_PLUGIN_FAILED"],
    ["that it is something else", "Plugin.Activate", '{"Implements":["NetworkDriver"]}', "VOLUME_PLUGIN_FAILED"],
  ] as const) {
    it(`that answers ${what} at create is refused, in its own words where it has some`, async () => {
      await using lab = await volumesLab();
      await using plugin = await testPlugin({ [method]: answer });
      const error = await rejection(create(lab, plugin.name));
      expect(error).to.include({ code: "FAILED_PRECONDITION", reason });
      expect((await lab.volumes.listVolumes(ListVolumesRequest.create(), call())).volumes).to.deep.equal([]);
      expect(await lab.directoryNames()).to.deep.equal([]);
    });
  }

  for (const path of ["/", "relative", "/nowhere/at/all", "/../.."]) {
    it(`that mounted at ${path} is refused, and told to unmount`, async () => {
      await using lab = await volumesLab();
      await using plugin = await testPlugin({ "VolumeDriver.Mount": JSON.stringify({ Mountpoint: path, Err: "" }) });
      await create(lab, plugin.name);
      const mounts = [volumeMount("/d", { source: "far" })];
      const error = await rejection(lab.volumes.acquire({ holder: holder("box"), mounts }, call()));
      expect(error).to.include({ reason: "VOLUME_PLUGIN_FAILED" });
      expect(plugin.called("Unmount")).to.equal(1);
      expect(await isMounted(dataDirectory(lab, "far"))).to.equal(false);
      await lab.volumes.undoAcquire({ holder: holder("box") }, call());
    });
  }

  it("whose driver nobody has is refused before a row is written", async () => {
    await using lab = await volumesLab();
    expect(await rejection(create(lab, "nobody-has-this"))).to.include({ reason: "VOLUME_DRIVER_NOT_FOUND" });
    expect(await rejection(create(lab, "../../etc"))).to.include({ reason: "VOLUME_DRIVER_NOT_FOUND" });
    expect((await lab.volumes.listVolumes(ListVolumesRequest.create(), call())).volumes).to.deep.equal([]);
  });
});

async function create(lab: VolumesLab, driver: string, options: Record<string, string> = {}): Promise<void> {
  await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name: "far", driver, options }), call());
}

/** A plugin that keeps volumes as directories; `answers` are given by method in place of its own. */
async function testPlugin(answers: Readonly<Record<string, string>> = {}) {
  await using undo = new AsyncDisposableStack();
  const { path: directory } = undo.use(await temporaryDirectory("plugin"));
  const name = `ctl-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const socket = join(SOCKETS, `${name}.sock`);
  const volumes = new Map<string, unknown>();
  const calls: string[] = [];
  const server = createServer((request, response) => {
    const method = (request.url ?? "").slice(1);
    calls.push(method);
    void serve(method, request, response);
  });
  const serve = async (method: string, request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { Name: string; Opts: unknown };
    response.end(answers[method] ?? JSON.stringify(await answer(method, body)));
  };
  const answer = async (method: string, { Name, Opts }: { Name: string; Opts: unknown }) => {
    const Mountpoint = join(directory, Name ?? "");
    if (method === "Plugin.Activate") return { Implements: ["VolumeDriver"] };
    if (method === "VolumeDriver.Create") {
      volumes.set(Name, Opts);
      await mkdir(Mountpoint);
      return { Err: "" };
    }
    if (!volumes.has(Name)) return { Err: "no such volume" };
    if (method === "VolumeDriver.Remove") volumes.delete(Name);
    return { Err: "", Mountpoint, Volume: { Name, Mountpoint } };
  };
  await mkdir(SOCKETS, { recursive: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socket, resolve);
  await promise;
  undo.defer(async () => {
    server.close();
    server.closeAllConnections();
    await rm(socket, { force: true });
    expect(await readdir(SOCKETS)).to.not.include(`${name}.sock`);
  });
  const owned = undo.move();
  return {
    ...{ name, directory, volumes },
    called: (method: string) => calls.filter((one) => one === `VolumeDriver.${method}`).length,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
