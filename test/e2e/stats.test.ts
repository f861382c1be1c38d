import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const MIB = 1024 * 1024;

describe("ctl stats", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const busy = ["busybox", "sh", "-c", "while true; do :; done"];

  /** Those fields of one container, of one answer. */
  const shown = async (...args: string[]) =>
    JSON.parse(await engine.ok("stats", "--no-stream", "--format", "json", ...args));

  it("shows CPU, memory and its limit, and processes, of those that run", async () => {
    await engine.ok("run", "-d", "--name", "busy", "--memory", "64m", "--pids-limit", "20", ...busy);
    await engine.ok("create", "--name", "idle", "busybox", "true");
    const table = (await engine.ok("stats", "--no-stream")).split("\n");
    expect(table[0]).to.match(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/);
    expect(table).to.have.length(2);
    const { CPUPerc, MemUsage, MemPerc, PIDs, Name, MemPeak } = await shown("busy");
    expect(Number.parseFloat(CPUPerc)).to.be.greaterThan(1).and.lessThan(120);
    expect(MemUsage).to.match(/^[1-9][0-9.]*[KM]iB \/ 64MiB$/);
    expect(Number.parseFloat(MemPerc)).to.be.greaterThan(0);
    expect(MemPeak).to.match(/^([1-9][0-9.]*[KM]iB|--)$/);
    expect({ Name, PIDs }).to.deep.equal({ Name: "busy", PIDs: "1" });
  });

  it("shows those that do not run with -a, and by name", async () => {
    await engine.ok("run", "--name", "over", "busybox", "true");
    expect(await engine.ok("stats", "--no-stream", "--format", "{{.Name}}")).to.equal("");
    expect(await engine.ok("stats", "--no-stream", "-a", "--format", "{{.Name}} {{.PIDs}}")).to.equal("over 0");
    const nothing = { CPUPerc: "0.00%", MemUsage: "0B / 0B", NetIO: "0B / 0B", PIDs: "0" };
    expect(await shown("over")).to.include(nothing);
  });

  it("counts what crosses the container's network, and nothing of the host's", async () => {
    const ping = "ping -c 3 -s 1000 -i 0.1 $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); sleep 60";
    await engine.ok("run", "-d", "--name", "own", "busybox", "sh", "-c", ping);
    await engine.ok("run", "-d", "--name", "hosts", "--network", "host", "busybox", "sleep", "60");
    await eventually(async () => {
      const { NetIO } = await shown("own");
      expect(NetIO).to.match(/^[3-9].*kB \/ [3-9].*kB$/);
      return true;
    }, 30_000);
    expect((await shown("hosts")).NetIO).to.equal("0B / 0B");
  });

  it("goes on, with those that begin to run, until nothing that was asked for is left", async () => {
    await using all = engine.start("stats", "--format", "{{.Name}}");
    await engine.ok("run", "-d", "--name", "first", "busybox", "sleep", "60");
    await all.untilStdout("first\n");
    await using one = engine.start("stats", "--format", "{{.Name}} {{.PIDs}}", "first");
    await one.untilStdout("first 1\n");
    await engine.ok("run", "-d", "--name", "second", "busybox", "sleep", "60");
    await all.untilStdout("second\nfirst\n");
    await engine.ok("kill", "first");
    await one.untilStdout("first 0\n");
    await engine.ok("rm", "first");
    expect(await one.exitCode()).to.equal(0);
    expect(all.stdout()).not.to.include("\x1b");
  });

  it("says which container is not there", async () => {
    expect(await engine.fails(1, "stats", "nope")).to.include("nope");
  });

  it("shows whole ids with --no-trunc, and goes on over a restart of the service", async () => {
    const id = await engine.ok("run", "-d", "busybox", "sleep", "60");
    expect((await shown("--no-trunc")).ID).to.equal(id);
    await using following = engine.start("stats", "--no-trunc", "--format", "{{.ID}} {{.PIDs}}");
    await following.untilStdout(`${id} 1\n`);
    await engine.daemon.kill("containers");
    await engine.daemon.ready();
    const lines = following.stdout().length;
    await eventually(() => following.stdout().slice(lines).includes(`${id} 1\n`) || undefined, 30_000);
  });
});

describe("the most memory that a container used", () => {
  const engine = sharedEngine({ images: ["busybox"] });
  // dd's one buffer
  const hungry = ["busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=30M", "count=1"];

  it("is in its inspection once it has ended, and anew with each run", async () => {
    await engine.ok("run", "--name", "hungry", ...hungry);
    const peak = Number(await engine.inspect("hungry", "State.PeakMemory"));
    expect(peak)
      .to.be.greaterThan(30 * MIB)
      .and.lessThan(100 * MIB);
    await engine.ok("run", "-d", "--name", "idle", "busybox", "sleep", "60");
    expect(await engine.inspect("idle", "State.PeakMemory")).to.equal(undefined);
    await engine.ok("kill", "idle");
    await eventually(async () => Number(await engine.inspect("idle", "State.PeakMemory")) > 0 || undefined);
    await engine.ok("start", "idle");
    expect(await engine.inspect("idle", "State.PeakMemory")).to.equal(undefined);
  });

  it("is known of one below a cgroup of its own choice", async () => {
    await engine.ok("run", "--name", "hungry", "--cgroup-parent", "deep/er", ...hungry);
    expect(await engine.inspect("hungry", "State.PeakMemory")).to.be.greaterThan(30 * MIB);
  });
});
