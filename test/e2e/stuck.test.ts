import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const ANSWER_MS = 1_000;

describe("a container that is stuck", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("makes its own stop fail, saying what that waited for, and nobody else wait", async () => {
    const stuck = await engine.ok("run", "-d", "--name", "stuck", "busybox", "sh", "-c", "echo well; sleep 600");
    await engine.ok("run", "-d", "--name", "other", "--stop-signal", "KILL", "busybox", "sleep", "600");
    await eventually(async () => (await engine.ok("logs", "stuck")) === "well");
    const bundle = join(engine.daemon.root, "containers", stuck);
    const monitor = Number(await readFile(join(bundle, "conmon.pid"), "utf8"));
    const program = Number(await engine.inspect("stuck", "State.Pid"));
    for (const pid of [monitor, program]) process.kill(pid, "SIGSTOP");

    const stopping = engine.ctl("stop", "-t", "1", "stuck");
    expect(await timed("ps"))
      .to.contain("stuck")
      .and.to.contain("other");
    expect(await timed("inspect", "--format", "{{.State.Status}}", "stuck")).to.equal("running");
    expect(await timed("logs", "stuck")).to.equal("well");
    expect(await timed("exec", "other", "echo", "well")).to.equal("well");
    expect(await timed("logs", "other")).to.equal("");
    expect(await timed("pause", "other")).to.equal("other");
    expect(await timed("unpause", "other")).to.equal("other");
    expect(await timed("stop", "other")).to.equal("other");
    expect(await timed("start", "other")).to.equal("other");
    expect(await timed("rm", "-f", "other")).to.equal("other");
    expect(await timed("run", "--rm", "busybox", "echo", "well")).to.equal("well");

    const { exitCode, stderr } = await stopping;
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/cannot stop container stuck: .*its monitor \(conmon\) has not said so/);
    expect(await timed("ps", "--format", "{{.Names}}")).to.equal("stuck");
    process.kill(monitor, "SIGCONT");
    expect(await engine.ok("wait", "stuck")).to.equal("137");
  });

  async function timed(...args: string[]): Promise<string> {
    const before = performance.now();
    const answer = await engine.ok(...args);
    expect(performance.now() - before, args.join(" ")).to.be.below(ANSWER_MS);
    return answer;
  }
});

describe("a wait", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("outlasts the gateway, the containers service and the database, and is told the code", async () => {
    const { daemon } = engine;
    await engine.ok(
      "run",
      "-d",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "trap 'exit 7' TERM; while :; do sleep 0.1; done",
    );
    await using waiting = engine.start("wait", "box");
    await engine.ok("ps"); // by now the other has asked
    await daemon.killAll();
    await daemon.start();
    expect(waiting.stdout()).to.equal("");
    await engine.ok("stop", "box");
    await waiting.untilStdout("7\n");
    expect(await waiting.exitCode()).to.equal(0);
  });
});
