import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { expect } from "chai";
import { descendants } from "../../services/containers/exec/kill-tree.ts";
import { eventually } from "../lab/eventually.ts";
import { type RunningProgram, startProgram } from "../lab/program.ts";
import { sharedEngine } from "./engine.ts";

/** For ten seconds, and says so all the time. */
const WAITS_FOR_TERM = "trap 'exit 9' TERM; i=0; while [ $i -lt 200 ]; do echo up; sleep 0.05; i=$((i+1)); done";

describe("clients of a container's streams", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  /** A shell's line in which `ctl` is our client. */
  function shell(line: string): RunningProgram {
    const { program, args, env } = engine.daemon.ctlCommand([]);
    const ctl = [program, ...args].map((word) => `'${word}'`).join(" ");
    const command = { program: "sh", args: ["-c", line.replaceAll("ctl", ctl)], env };
    return startProgram(command, engine.daemon.directory);
  }

  it("return as soon as the container has ended, whether their input stays open or floods", async () => {
    await using open = engine.start("run", "-i", "--rm", "busybox", "sh", "-c", "exit 3");
    expect(await open.exitCode(10_000)).to.equal(3);
    await using flood = shell("yes | ctl run -i --rm busybox sh -c 'sleep 0.3; exit 4'");
    expect(await flood.exitCode(15_000)).to.equal(4);
  });

  it("get both streams byte by byte, apart, without a terminal", async () => {
    const script = "head -c 300000 /dev/urandom >/x; cat /x & cat /x >&2; wait";
    await using run = shell(`ctl run --rm busybox sh -c '${script}' >out 2>err; cmp out err && wc -c <out`);
    expect(await run.exitCode()).to.equal(0);
    expect(run.stdout().trim()).to.equal("300000");
  });

  it("give input through to its end: what passes through a pipe is what went in, however slowly it is read", async () => {
    const made = "head -c 20000000 /dev/urandom >in";
    await using run = shell(
      `${made}; ctl run --rm -i busybox cat <in | (sleep 1; cat >back); cmp in back && echo same`,
    );
    expect(await run.exitCode(40_000)).to.equal(0);
    expect(run.stdout()).to.equal("same\n");
  });

  it("lose no line of many short runs at a time", async () => {
    const lines = (from: string) => `for i in $(seq 8); do ctl run --rm busybox echo ${from}$i; done`;
    await using runs = shell(`for from in a b c d e; do (${lines("$from")}) & done; wait`);
    expect(await runs.exitCode(50_000)).to.equal(0);
    const expected = ["a", "b", "c", "d", "e"].flatMap((from) =>
      Array.from({ length: 8 }, (_, i) => `${from}${i + 1}`),
    );
    expect(runs.stdout().trim().split("\n").sort()).to.deep.equal(expected.sort());
  });

  it("are several at a time: each sees all output in one order, and one that goes ends nothing for the others", async () => {
    await engine.ok("run", "-di", "--name", "box", "busybox", "sh", "-c", "while read line; do echo got $line; done");
    await using one = engine.start("attach", "box");
    await using other = engine.start("attach", "box");
    await eventually(() => {
      one.write("ready\n");
      return one.stdout().includes("got ready\n") && other.stdout().includes("got ready\n");
    });
    for (let round = 0; round < 20; round++) (round % 2 === 0 ? one : other).write(`${round}\n`);
    for (const client of [one, other]) await client.untilStdout(/got 18\n(.*\n)*got 19\n|got 19\n(.*\n)*got 18\n/);
    const numbered = (text: string) => text.split("\n").filter((line) => /^got \d+$/.test(line));
    expect(numbered(one.stdout())).to.deep.equal(numbered(other.stdout())).and.to.have.length(20);
    one.signal("SIGKILL");
    await one.exitCode();
    other.write("alone\n");
    await other.untilStdout("got alone\n");
  });

  it("hand on a signal that comes right behind the first output", async () => {
    await engine.ok("create", "--name", "box", "busybox", "sh", "-c", WAITS_FOR_TERM);
    for (const args of [
      ["run", "--rm", "busybox", "sh", "-c", WAITS_FOR_TERM],
      ["start", "-a", "box"],
    ]) {
      for (let round = 0; round < 4; round++) {
        await using client = engine.start(...args);
        await client.untilStdout("up\n", 15_000);
        client.signal("SIGTERM");
        expect(await client.exitCode(), args[0]).to.equal(9);
      }
    }
  });

  it("keep signals for themselves without --sig-proxy", async () => {
    await using run = engine.start("run", "--name", "box", "--sig-proxy=false", "busybox", "sh", "-c", WAITS_FOR_TERM);
    await run.untilStdout("up\n", 15_000);
    await using attached = engine.start("attach", "--sig-proxy=false", "box");
    await attached.untilStdout("up\n");
    for (const client of [attached, run]) {
      client.signal("SIGTERM");
      expect(await client.exitCode()).to.equal(143);
    }
    expect(await engine.inspect("box", "State.Running")).to.equal(true);
    await using proxied = engine.start("attach", "box");
    await proxied.untilStdout("up\n");
    proxied.signal("SIGTERM");
    expect(await proxied.exitCode()).to.equal(9);
    expect(await engine.inspect("box", "State.ExitCode")).to.equal(9);
  });

  it("of execs leave no descriptor, file, process or zombie behind", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
    const rounds = async (count: number) => {
      const each = "ctl exec box sh -c 'sleep 0 & true'; ctl exec -t box true; ctl exec -d box true";
      await using execs = shell(`for i in $(seq ${count}); do ${each}; done`);
      expect(await execs.exitCode(50_000)).to.equal(0);
    };
    await rounds(2);
    const before = await atRest();
    await rounds(10);
    await eventually(async () => {
      const now = await counted();
      expect(now.files).to.deep.equal(before.files);
      expect(now.processes).to.equal(before.processes);
      expect(now.descriptors).to.be.at.most(before.descriptors + 2);
      return true;
    }, 15_000);
    expect(await engine.ok("execs", "ls", "-q")).to.equal("");
  });

  /** The same, once the last exec is cleared away: a detached one is so a little after it has ended. */
  async function atRest() {
    let last = await counted();
    await eventually(async () => {
      const now = await counted();
      const isSame = now.files.length === last.files.length && now.processes === last.processes;
      last = now;
      return isSame && (await engine.ok("execs", "ls", "-q")) === "";
    }, 15_000);
    return last;
  }

  /** What the container has on this host, what the services have open, and the processes of both. */
  async function counted() {
    const directory = dirname((await engine.inspect("box", "LogPath")) as string);
    const id = (await engine.inspect("box", "Id")) as string;
    const containers = (await engine.daemon.pidOf("containers")) ?? 0;
    const services = [containers, await engine.daemon.pidOf("gateway")];
    const descriptors = await Promise.all(services.map((pid) => readdir(`/proc/${pid}/fd`)));
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const cgroups = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")));
    return {
      files: (await readdir(directory, { recursive: true })).sort(),
      descriptors: descriptors.flat().length,
      // a zombie too is somebody's child, and in its cgroup
      processes: cgroups.filter((text) => text.includes(id)).length + (await descendants(containers)).length,
    };
  }
});
