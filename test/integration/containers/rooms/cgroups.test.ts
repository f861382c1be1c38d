import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { controllerDirectory, directoriesOf } from "../../../../services/containers/cgroups/layout.ts";
import { wasOomKilled } from "../../../../services/containers/cgroups/oom.ts";
import {
  type CgroupParent,
  containerCgroups,
  removeCgroups,
} from "../../../../services/containers/cgroups/placement.ts";
import { killCgroup, processesIn } from "../../../../services/containers/cgroups/processes.ts";
import { readCgroupUsage, readPeakMemory } from "../../../../services/containers/cgroups/stats/read.ts";
import { readMonitorPid } from "../../../../services/containers/runtime/conmon.ts";
import { eventually } from "../../../lab/eventually.ts";
import { testRun } from "../../../lab/run-directory.ts";
import { CRUN, NO_LIMITS, openRooms, type Rooms, RUNC, signal, startContainer } from "./rooms.ts";

const MB = 1024 * 1024;

for (const candidate of [CRUN, RUNC]) {
  describe(`a container's cgroup with ${candidate.kind}`, () => {
    let rooms: Rooms;
    before(async () => {
      rooms = await openRooms(candidate);
    });
    after(() => rooms[Symbol.asyncDispose]());

    it("has the limits that were asked for, and counts what is used", async () => {
      const resources = { ...NO_LIMITS, memoryBytes: 64 * MB, nanoCpus: 500_000_000, pidsLimit: 7, cpusetCpus: "0" };
      const script = "head -c 20000000 /dev/zero >/dev/null; sleep 1000";
      await using container = await startContainer(rooms, ["sh", "-c", script], { spec: { resources } });
      const stats = await eventually(async () => {
        const read = readCgroupUsage(rooms.layout, container.cgroup);
        return read !== undefined && read.cpu.totalUs > 1_000 && read.pids.current === 2 ? read : undefined;
      });
      expect(stats.memory.limitBytes).to.equal(64 * MB);
      expect(stats.memory.usedBytes).to.be.greaterThan(0).and.at.most(stats.memory.usageBytes);
      expect(stats.pids.limit).to.equal(7);
      const cpu = controllerDirectory(rooms.layout, "cpu", container.cgroup) ?? "";
      const quota = rooms.layout.mode === "v2" ? "cpu.max" : "cpu.cfs_quota_us";
      expect((await readFile(join(cpu, quota), "utf8")).trim()).to.match(/^50000/);
    });

    it("shows that the kernel killed for want of memory", async () => {
      const resources = { ...NO_LIMITS, memoryBytes: 20 * MB, memorySwapBytes: 20 * MB };
      const script = "x=x; while true; do x=$x$x; done";
      await using container = await startContainer(rooms, ["sh", "-c", script], { spec: { resources } });
      const exit = await container.ended();
      expect(exit.exitCode).to.equal(137);
      expect(exit.isOomKilled || (await wasOomKilled(rooms.layout, container.cgroup))).to.equal(true);
    });

    it("is empty at once when everything in it is killed", async () => {
      await using container = await startContainer(rooms, ["sh", "-c", "sleep 1001 & sleep 1002 & sleep 1003"]);
      await eventually(async () => (await processesIn(rooms.layout, container.cgroup)).length >= 3);
      await killCgroup(rooms.layout, container.cgroup, signal("kill"));
      expect(await processesIn(rooms.layout, container.cgroup)).to.deep.equal([]);
      expect((await container.ended()).exitCode).to.equal(137);
    });

    it("is gone once the container is removed", async () => {
      const container = await startContainer(rooms, ["sleep", "1000"]);
      await container[Symbol.asyncDispose]();
      expect(readCgroupUsage(rooms.layout, container.cgroup)).to.equal(undefined);
      expect(readPeakMemory(rooms.layout, container.cgroup)).to.equal("gone");
    });

    it("lies beside its monitor's below a parent that systemd gave", async () => {
      const parent: CgroupParent = { kind: "delegated", path: `/${testRun().name}-rooms/unit.service` };
      const container = await startContainer(rooms, ["sleep", "1000"], { parent });
      const { monitor = "", payload, all } = containerCgroups(parent, container.id);
      const conmon = await readMonitorPid(container.bundlePath);
      expect(await processesIn(rooms.layout, monitor)).to.include(conmon);
      expect(await processesIn(rooms.layout, payload)).to.include(container.pid);
      await container[Symbol.asyncDispose]();
      expect(await eventually(() => removeCgroups(rooms.layout, all))).to.equal(true);
      for (const path of directoriesOf(rooms.layout, all.at(-1) ?? "")) {
        expect(await stat(path).catch(() => undefined), path).to.equal(undefined);
      }
      expect(removeCgroups(rooms.layout, [parent.path])).to.equal(true);
    });
  });
}
