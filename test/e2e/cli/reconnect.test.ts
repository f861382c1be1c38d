import { readdir, readFile } from "node:fs/promises";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { sharedEngine } from "../engine.ts";

const LINES = 40;
const COUNT = ["sh", "-c", `for i in $(seq ${LINES}); do echo line $i; sleep 0.1; done; exit 6`];
const ALL = Array.from({ length: LINES }, (_, index) => `line ${index + 1}\n`).join("");

describe("ctl while a part of the daemon is killed", function () {
  this.timeout(90_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("goes on with a foreground run when the containers service comes back: every line once, the exit code", async () => {
    await using run = engine.start("run", "--rm", "busybox", ...COUNT);
    await run.untilStdout("line 10\n", 15_000);
    await engine.daemon.kill("containers");
    expect(await run.exitCode(40_000)).to.equal(6);
    expect(run.stdout()).to.equal(ALL);
    expect(await engine.ok("ps", "-aq")).to.equal("");
  });

  it("goes on with a foreground run when the gateway comes back", async () => {
    await using run = engine.start("run", "--rm", "busybox", ...COUNT);
    await run.untilStdout("line 10\n", 15_000);
    await engine.daemon.kill("gateway");
    await engine.daemon.start();
    expect(await run.exitCode(40_000)).to.equal(6);
    expect(run.stdout()).to.equal(ALL);
    await eventually(async () => (await engine.ok("ps", "-aq")) === "");
  });

  for (const victim of ["gateway", "containers"] as const) {
    it(`loses nothing of a run --rm that ends while ${victim} is away, and removes it then`, async () => {
      const script = `echo up; sleep 0.4; seq 20000; exit 5`;
      await using run = engine.start("run", "--rm", "busybox", "sh", "-c", script);
      await run.untilStdout("up\n", 15_000);
      await engine.daemon.kill(victim);
      if (victim === "gateway") {
        await eventually(() => isOver(script), 15_000);
        await engine.daemon.start();
      }
      expect(await run.exitCode(40_000)).to.equal(5);
      expect(run.stdout()).to.equal(`up\n${Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("")}`);
      await eventually(async () => (await engine.ok("ps", "-aq")) === "");
    });
  }

  it("tells the exit code of a run that ended while the gateway was away", async () => {
    await using run = engine.start("run", "--name", "box", "busybox", "sh", "-c", "echo up; sleep 1; echo end; exit 5");
    await run.untilStdout("up\n", 15_000);
    await engine.daemon.kill("gateway");
    await eventually(() => isOver("echo up; sleep 1"), 15_000);
    await engine.daemon.start();
    expect(await run.exitCode(40_000)).to.equal(5);
    expect(run.stdout()).to.equal("up\nend\n");
  });

  it("follows a log past a restart without losing or repeating a line", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", ...COUNT);
    await using logs = engine.start("logs", "-f", "box");
    await logs.untilStdout("line 10\n", 15_000);
    await engine.daemon.kill("containers");
    expect(await logs.exitCode(40_000)).to.equal(0);
    expect(logs.stdout()).to.equal(ALL);
  });

  /** Seen on the host, since there is nobody to ask: the container's last process has gone. */
  async function isOver(script: string): Promise<boolean> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    return !lines.some((line) => line.startsWith(`sh\0-c\0${script}`));
  }
});
