import { readdir, readFile, stat } from "node:fs/promises";
import { expect } from "chai";
import { directoriesOf } from "../../../../services/containers/cgroups/layout.ts";
import { readMountinfo } from "../../../../services/kit/linux/mountinfo.ts";
import { bindPidfds } from "../../../../services/kit/linux/pidfd.ts";
import { eventually } from "../../../lab/eventually.ts";
import { logText } from "./log-text.ts";
import { CRUN, openRooms, type Rooms, RUNC, startContainer } from "./rooms.ts";

for (const candidate of [CRUN, RUNC]) {
  describe(`a container's run with ${candidate.kind}`, () => {
    let rooms: Rooms;
    before(async () => {
      rooms = await openRooms(candidate);
    });
    after(() => rooms[Symbol.asyncDispose]());

    it("writes its output to the log, each stream apart, and ends with the process's exit code", async () => {
      await using container = await startContainer(rooms, ["sh", "-c", "echo out; echo err >&2; printf part; exit 7"]);
      expect(await container.ended()).to.include({ exitCode: 7, run: 1, isOomKilled: false });
      expect(await logText(container, ["stdout"])).to.equal("out\npart");
      expect(await logText(container, ["stderr"])).to.equal("err\n");
    });

    it("shows a death by signal as 128 and the signal's number", async () => {
      await using container = await startContainer(rooms, ["sleep", "1000"]);
      using handle = bindPidfds().open(container.pid);
      expect(handle?.signal(9)).to.equal(true);
      expect((await container.ended()).exitCode).to.equal(137);
      expect(handle?.hasEnded()).to.equal(true);
    });

    it("leaves no mount, cgroup, process or file behind", async () => {
      const { descriptors: most, ...left } = await traces(rooms);
      const container = await startContainer(rooms, ["sleep", "1000"]);
      await container[Symbol.asyncDispose]();
      const monitor = await eventually(async () => (await monitorsOf(container.id)).length === 0);
      expect(monitor).to.equal(true);
      const { descriptors, ...rest } = await traces(rooms);
      expect(rest).to.deep.equal(left);
      expect(descriptors).to.be.at.most(most);
      for (const directory of directoriesOf(rooms.layout, container.cgroup)) {
        expect(await stat(directory).catch(() => undefined), directory).to.equal(undefined);
      }
    });
  });
}

async function monitorsOf(id: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(id));
}

async function traces(rooms: Rooms) {
  const mounts = (await readMountinfo())
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path.startsWith("/var/tmp"));
  const state = await readdir(rooms.stateRoot);
  const descriptors = (await readdir("/proc/self/fd")).length;
  return { mounts, state, containers: await readdir(rooms.containers), descriptors };
}
