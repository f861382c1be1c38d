import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const FAST = ["--health-interval", "200ms", "--health-retries", "2"];

describe("a container's health", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("is starting, healthy and unhealthy as its probes say: in ps, inspect, filters and events", async () => {
    const since = String(Date.now() / 1_000);
    await run("box", [
      "--health-cmd",
      "echo looked; test -e /ok",
      ...FAST,
      "--health-start-period",
      "1m",
      "--health-start-interval",
      "200ms",
    ]);
    await run("plain", []);
    expect(await status("box")).to.match(/^Up .* \(health: starting\)$/);
    expect(await listed("health=starting")).to.equal("box");
    await engine.ok("exec", "box", "touch", "/ok");
    await untilHealth("box", "healthy");
    expect(await status("box")).to.match(/^Up .* \(healthy\)$/);
    await engine.ok("exec", "box", "rm", "/ok");
    await untilHealth("box", "unhealthy");
    const health = (await engine.inspect("box", "State.Health")) as { FailingStreak: number; Log: Probe[] };
    expect(health.FailingStreak).to.be.at.least(2);
    await eventually(async () => ((await engine.inspect("box", "State.Health.Log")) as Probe[]).length === 5);
    expect(health.Log.at(-1)).to.deep.include({ ExitCode: 1, Output: "looked\n" });
    expect(await listed("health=unhealthy")).to.equal("box");
    expect(await listed("health=none")).to.equal("plain");
    expect(await engine.inspect("plain", "State.Health")).to.equal(undefined);
    const range = ["--since", since, "--until", String(Date.now() / 1_000), "--filter", "container=box"];
    const actions = (await engine.ok("events", ...range, "--format", "{{.Action}}")).split("\n");
    expect(actions.filter((one) => one.startsWith("health"))).to.deep.equal([
      "health_status: healthy",
      "health_status: unhealthy",
    ]);
  });

  it("is the image's check, with the caller's times; or none", async () => {
    const check = { Test: ["CMD", "test", "-e", "/bin/busybox"], Interval: 3_600_000_000_000 };
    const image = await engine.push("checked", [], { Healthcheck: check });
    await engine.ok("run", "-d", "--name", "box", "--health-interval", "100ms", image, "sleep", "60");
    await untilHealth("box", "healthy");
    await engine.ok("run", "-d", "--name", "unchecked", "--no-healthcheck", image, "sleep", "60");
    expect(await status("unchecked")).not.to.match(/health/);
    expect(await engine.fails(125, "run", "--health-on-failure", "kill", "busybox")).to.match(/no health check/);
    await engine.ok("rm", "-f", "box", "unchecked");
    await engine.ok("rmi", image);
  });

  it("is probed without a trace: what probes fork, orphan or leave hanging is gone, zombies too", async () => {
    const script = "sleep 1001 & (setsid sleep 1002 & ); [ -e /quick ] || sleep 1003; true";
    await run("box", ["--health-cmd", script, ...FAST, "--health-timeout", "300ms"]);
    await untilHealth("box", "unhealthy");
    const [last] = ((await engine.inspect("box", "State.Health.Log")) as Probe[]).slice(-1);
    expect(last).to.include({ ExitCode: -1 });
    expect(last?.Output).to.match(/^Health check exceeded timeout \(300ms\)/);
    await engine.ok("exec", "box", "touch", "/quick");
    await untilHealth("box", "healthy");
    await engine.ok("exec", "box", "sh", "-c", "rm /quick");
    await untilHealth("box", "unhealthy");
    await engine.ok("pause", "box"); // between two probes or in the midst of one: thawed, that one is over too
    await engine.ok("unpause", "box");
    await engine.ok("exec", "box", "touch", "/quick");
    await untilHealth("box", "healthy");
    // the probe of this very moment apart, which is the reaper's
    await eventually(async () => (await processes("box")).every((one) => one.endsWith("sleep 600")));
  });

  it("restarts, stops or kills it when it is unhealthy, and inspect says why", async () => {
    for (const action of ["restart", "stop", "kill"]) {
      await run(action, ["--health-cmd", "echo broken; false", ...FAST, "--health-on-failure", action]);
    }
    await eventually(async () => Number(await engine.inspect("restart", "RestartCount")) >= 2, 20_000);
    expect(await engine.inspect("restart", "State.Health.Consequence")).to.match(
      /^restarted after \d+ ms: unhealthy, 2 probes failed in a row, the last with exit code 1: broken$/,
    );
    await eventually(async () => (await engine.inspect("stop", "State.Status")) === "exited", 20_000);
    await eventually(async () => (await engine.inspect("kill", "State.Status")) === "exited");
    expect(await engine.inspect("kill", "State.ExitCode")).to.equal(137);
    expect(await engine.inspect("kill", "State.Health.Consequence")).to.match(/^killed: unhealthy/);
    expect(await engine.inspect("stop", "State.Health.Consequence")).to.match(/^stopped: unhealthy/);
    expect(await engine.inspect("stop", "State.Health.Status")).to.equal("unhealthy");
  });

  it("is probed anew after a crash of the service in the middle of a probe, and nothing of that one stays", async () => {
    await run("box", ["--health-cmd", "sleep 1004 & sleep 1004", ...FAST]);
    const probes = async () => (await processes("box")).filter((one) => one.includes("1004"));
    await eventually(async () => (await probes()).length >= 2);
    const left = await probes();
    await engine.daemon.kill("containers");
    await engine.daemon.ready();
    await eventually(async () => {
      const now = await probes();
      return now.length > 0 && !now.some((one) => left.includes(one));
    }, 20_000);
  });

  it("is found out also while the gateway and the database are away, and recorded afterwards", async () => {
    const { daemon } = engine;
    const shared = join(daemon.directory, "shared");
    await mkdir(shared);
    await writeFile(join(shared, "seen"), "");
    const command = "echo probe >> /shared/seen; test -e /shared/ok";
    await run("box", ["-v", `${shared}:/shared`, "--health-cmd", command, ...FAST]);
    await untilHealth("box", "unhealthy");
    await daemon.kill("gateway");
    await daemon.kill("postgres");
    const count = async () => (await readFile(join(shared, "seen"), "utf8")).length;
    const before = await count();
    await appendFile(join(shared, "ok"), "");
    await eventually(async () => (await count()) > before + 5 * "probe\n".length);
    await rm(join(shared, "ok"));
    const between = await count();
    await eventually(async () => (await count()) > between + 3 * "probe\n".length);
    await daemon.start();
    await untilHealth("box", "unhealthy");
    const seen = ["events", "--since", "1m", "--until", "0s", "--filter", "container=box", "--format", "{{.Action}}"];
    // what was found out meanwhile is recorded in its order, a moment after the daemon serves again
    await eventually(async () => {
      const statuses = (await engine.ok(...seen)).match(/health_status: \w+/g)?.slice(-3);
      expect(statuses).to.deep.equal([
        "health_status: unhealthy",
        "health_status: healthy",
        "health_status: unhealthy",
      ]);
      return true;
    }, 15_000);
  });

  async function run(name: string, flags: readonly string[]): Promise<void> {
    await engine.ok("run", "-d", "--name", name, "--stop-signal", "KILL", ...flags, "busybox", "sleep", "600");
  }

  async function untilHealth(name: string, wanted: string): Promise<void> {
    await eventually(async () => (await engine.inspect(name, "State.Health.Status")) === wanted, 15_000);
  }

  function status(name: string): Promise<string> {
    return engine.ok("ps", "-a", "--filter", `name=^${name}$`, "--format", "{{.Status}}");
  }

  function listed(filter: string): Promise<string> {
    return engine.ok("ps", "--filter", filter, "--format", "{{.Names}}");
  }

  async function processes(name: string): Promise<string[]> {
    const [, ...lines] = (await engine.ok("top", name, "-eo", "pid,stat,args")).split("\n");
    return lines.map((line) => line.trim());
  }
});

interface Probe {
  readonly ExitCode: number;
  readonly Output: string;
}
