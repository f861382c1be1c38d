import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { identityOf } from "../../../gateway/supervisor/process.ts";
import { type DetachedProcess, startDetached } from "../../lab/detached-process.ts";
import { eventually } from "../../lab/eventually.ts";
import { testRun } from "../../lab/run-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../lab/temporary-directory.ts";

const KEEPER = join(import.meta.dirname, "../../../deploy/systemd/keeper.sh");

describe("the keeper of ctl-containers.service", () => {
  it("moves into a leaf, says that it is ready, and ends when it is told to", async () => {
    await using unit = await testUnit();
    const keeper = await unit.start("keep");
    await eventually(() => readFile(join(unit.directory.path, "notified"), "utf8"));
    expect(await processesIn(join(unit.group, "keeper"))).to.include(keeper.pid);
    expect(await processesIn(unit.group)).to.deep.equal([]);
    keeper.signal("SIGTERM");
    await keeper.ended(5_000);
  });

  it("gives each container its own signal and time, all at once, and kills what does not end", async () => {
    await using unit = await testUnit();
    const polite = await unit.startContainer(
      "polite",
      `trap 'echo quit >>$0.said; kill $!; exit' QUIT; sleep 60 & echo ready >>$0.said; wait`,
      {
        "ctl.stop-signal": "3",
      },
    );
    const deaf = await unit.startContainer("deaf", `trap '' TERM; echo ready >>$0.said; while :; do sleep 60; done`, {
      "ctl.stop-timeout": "1",
    });
    const before = performance.now();
    const stop = await unit.start("stop");
    await stop.ended(10_000);
    expect(polite.isRunning()).to.equal(false);
    expect(await readFile(join(unit.directory.path, "polite.said"), "utf8")).to.contain("quit");
    await eventually(() => identityOf(deaf.pid) === undefined);
    expect(performance.now() - before).to.be.within(1_000, 5_000);
  });
});

interface TestUnit extends AsyncDisposable {
  readonly directory: TemporaryDirectory;
  /** The cgroup that systemd would have made. */
  readonly group: string;
  start(command: string): Promise<DetachedProcess>;
  startContainer(id: string, script: string, annotations: Record<string, string>): Promise<DetachedProcess>;
}

async function testUnit(): Promise<TestUnit> {
  const directory = await temporaryDirectory("keeper");
  // the hierarchy by which systemd knows units: v2, or the named one of v1
  const mount = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].find((path) => existsSync(join(path, "cgroup.procs")));
  const group = join(mount ?? expect.fail("no cgroup hierarchy"), `${testRun().name}-keeper`);
  await mkdir(group);
  const notify = join(directory.path, "systemd-notify");
  await writeFile(notify, `#!/bin/sh\necho "$@" >${directory.path}/notified\n`);
  await chmod(notify, 0o755);
  const env = { PATH: `${directory.path}:/usr/bin:/bin`, CTL_ROOT: directory.path };
  const startIn = (place: string, args: string[]) =>
    startDetached("sh", ["-c", `echo $$ >${place}/cgroup.procs; exec "$@"`, "sh", ...args], {
      log: join(directory.path, "log"),
      env,
    });
  const containers: string[] = [];
  return {
    directory,
    group,
    start: async (command) => {
      // as systemd does: a unit's other programs run in a group of their own
      const place = command === "stop" ? join(group, ".control") : group;
      await mkdir(place, { recursive: true });
      return await startIn(place, ["sh", KEEPER, command]);
    },
    startContainer: async (id, script, annotations) => {
      const payload = join(group, id, "payload");
      containers.push(payload, join(group, id));
      await mkdir(payload, { recursive: true });
      await mkdir(join(directory.path, "containers", id), { recursive: true });
      await writeFile(join(directory.path, "containers", id, "config.json"), JSON.stringify({ annotations }, null, 2));
      const name = join(directory.path, id);
      const started = await startIn(payload, ["sh", "-c", `${script}`, name]);
      await eventually(() => existsSync(`${name}.said`));
      return started;
    },
    [Symbol.asyncDispose]: async () => {
      await emptyGroups([...containers, join(group, "keeper"), join(group, ".control"), group]);
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function processesIn(group: string): Promise<number[]> {
  return (await readFile(join(group, "cgroup.procs"), "utf8")).split("\n").filter(Boolean).map(Number);
}

async function emptyGroups(groups: readonly string[]): Promise<void> {
  for (const group of groups.filter((path) => existsSync(path))) {
    await eventually(async () => {
      for (const pid of await processesIn(group)) process.kill(pid, "SIGKILL");
      await rmdir(group);
      return true;
    });
  }
}
