/** Runs one container on a host that has cgroup v2 alone; started by v2.test.ts in a mount namespace made so. */
import { killCgroup, processesIn } from "../../../../services/containers/cgroups/processes.ts";
import { readCgroupUsage } from "../../../../services/containers/cgroups/stats/read.ts";
import { eventually } from "../../../lab/eventually.ts";
import { CRUN, openRooms, RUNC, signal, startContainer } from "./rooms.ts";

async function main(): Promise<void> {
  await using rooms = await openRooms(CRUN, RUNC);
  await using container = await startContainer(rooms, ["sh", "-c", "sleep 1001 & sleep 1002"]);
  await eventually(async () => (await processesIn(rooms.layout, container.cgroup)).length >= 2);
  const usage = readCgroupUsage(rooms.layout, container.cgroup);
  await killCgroup(rooms.layout, container.cgroup, signal("kill"));
  const { exitCode } = await container.ended();
  const left = (await processesIn(rooms.layout, container.cgroup)).length;
  process.stdout.write(JSON.stringify({ mode: rooms.layout.mode, cpuUs: usage?.cpu.totalUs, exitCode, left }));
}

// mocha loads this file too, with the tests beside it
if (process.argv[1] === import.meta.filename) {
  main().catch((error: unknown) => {
    process.stderr.write(error instanceof Error ? `${error.stack}\n` : String(error));
    process.exitCode = 1;
  });
}
