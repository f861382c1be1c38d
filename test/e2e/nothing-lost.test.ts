import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { deadline } from "../../services/kit/deadlines.ts";
import { runInterrupted, VICTIMS } from "../chaos/interrupted-runs.ts";
import type { DaemonProcess } from "../lab/daemon.ts";
import { processesOf } from "../lab/daemon-processes.ts";
import { eventually } from "../lab/eventually.ts";
import { powerOff } from "../lab/sweep.ts";
import { sharedEngine } from "./engine.ts";

const PROCESSES: readonly DaemonProcess[] = ["gateway", "images", "containers", "networks", "volumes", "postgres"];

describe("nothing is lost", function () {
  this.timeout(90_000);
  const engine = sharedEngine({ images: ["busybox", "nginx"] });

  for (const victim of PROCESSES) {
    it(`when ${victim} is killed while nginx serves: page, logs, ps and stop go on`, async () => {
      await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
      await served("/before");
      await engine.daemon.kill(victim);
      await served("/meanwhile");
      if (victim === "gateway") await engine.daemon.start();
      await answers();
      expect(await engine.ok("ps", "--format", "{{.Names}} {{.Ports}}")).to.match(/^web .*8080->80\/tcp/);
      await using following = engine.start("logs", "-f", "web");
      await served("/after");
      await following.untilStdout("/after");
      for (const path of ["/before", "/meanwhile"]) expect(following.stdout()).to.contain(path);
      await engine.ok("stop", "-t", "2", "web");
      expect(await following.exitCode()).to.equal(0);
      expect(await engine.ok("ps", "-q")).to.equal("");
    });
  }

  it("when everything is killed at once, and all of ctld is started again", async () => {
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await engine.daemon.killAll();
    await served("/alone");
    await engine.daemon.start();
    await answers();
    expect(await engine.ok("logs", "web")).to.contain("/alone");
    await engine.ok("stop", "-t", "2", "web");
  });

  it("when ctld is stopped in order: containers go on, and are known to the next one", async () => {
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await engine.daemon.stop();
    for (const name of PROCESSES) expect(await engine.daemon.pidOf(name), name).to.equal(undefined);
    await served("/unattended");
    await engine.daemon.start();
    expect(await engine.ok("ps", "--format", "{{.Names}}")).to.equal("web");
    expect(await engine.ok("logs", "web")).to.contain("/unattended");
  });

  it("of a container that ends while the daemon is down: its exit code, its output, its --rm, its policy", async () => {
    const script = "while [ ! -e /mnt/end ]; do sleep 0.1; done; echo bye; exit 23";
    const mounted = ["-v", "signals:/mnt", "busybox", "sh", "-c"];
    await engine.ok("run", "-d", "--name", "plain", ...mounted, script);
    await engine.ok("run", "-d", "--name", "removed", "--rm", ...mounted, script);
    await engine.ok("run", "-d", "--name", "kept", "--restart", "on-failure:1", ...mounted, script);
    const mountpoint = await engine.ok("volume", "inspect", "--format", "{{.Mountpoint}}", "signals");
    await engine.daemon.killAll();
    await writeFile(join(mountpoint, "end"), "");
    await eventually(async () => (await processesOf("container", engine.daemon)).length === 0, 10_000);
    await engine.daemon.start();
    await answers();
    expect(await engine.ok("wait", "plain")).to.equal("23");
    expect(await engine.ok("logs", "plain")).to.equal("bye");
    await eventually(async () => (await engine.ctl("inspect", "removed")).exitCode === 1);
    await eventually(async () => (await engine.inspect("kept", "State.Status")) === "exited", 10_000);
    expect(await engine.inspect("kept", "RestartCount")).to.equal(1);
    expect(await engine.inspect("kept", "State.ExitCode")).to.equal(23);
  });

  it("by a reboot: what is to run runs again at its address, what is not does not, and no file is missing", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "always",
      "--restart",
      "always",
      "-p",
      "8080:80",
      "-v",
      "page:/data",
      "nginx",
    );
    await engine.ok("run", "-d", "--name", "unless", "--restart", "unless-stopped", "busybox", "sleep", "600");
    await engine.ok("run", "-d", "--name", "stopped", "--restart", "unless-stopped", "busybox", "sleep", "600");
    await engine.ok("run", "-d", "--name", "never", "busybox", "sleep", "600");
    await engine.ok("exec", "always", "sh", "-c", "echo kept >/written; echo kept >/data/written");
    await engine.ok("stop", "-t", "0", "stopped");
    const address = await engine.inspect("always", "NetworkSettings.Networks.bridge.IPAddress");

    await powerOff(engine.daemon.instance, engine.daemon.directory);
    await rm(engine.daemon.run, { recursive: true }); // a tmpfs everywhere else
    await engine.daemon.start();

    await eventually(async () => {
      expect(await states()).to.deep.equal({
        always: "running",
        never: "exited",
        stopped: "exited",
        unless: "running",
      });
      return true;
    }, 30_000);
    await served("/again");
    expect(await engine.inspect("always", "NetworkSettings.Networks.bridge.IPAddress")).to.equal(address);
    expect(await engine.ok("exec", "always", "cat", "/written", "/data/written")).to.equal("kept\nkept");
    expect(await engine.ok("run", "--rm", "busybox", "echo", "well")).to.equal("well");
  });

  for (const victim of ["gateway", "containers"] as const) {
    it(`of a restart whose ${victim} was killed before the program gave way: it comes, and a stop is a stop`, async () => {
      const ignores = "trap '' TERM; echo up; exec sleep 1000";
      for (const name of ["stopped", "restarted"]) {
        await engine.ok("run", "-d", "--name", name, "--stop-timeout", "1", "busybox", "sh", "-c", ignores);
        await untilLogs(name, "up");
      }
      await using stopped = engine.start("restart", "-t", "60", "stopped");
      await using restarted = engine.start("restart", "-t", "4", "restarted");
      await eventually(async () => (await wanted()) === 2, 10_000);
      await engine.daemon.kill(victim);
      if (victim === "gateway") await engine.daemon.start();
      await answers();
      expect([await stopped.exitCode(60_000), await restarted.exitCode(60_000)]).to.deep.equal([1, 1]);
      await engine.ok("stop", "-t", "0", "stopped");
      expect(await engine.inspect("stopped", "State.Status")).to.equal("exited");
      await untilLogs("restarted", "up\nup", 75_000);
      expect(await engine.inspect("stopped", "State.Status")).to.equal("exited");
    });
  }

  it("and nothing is left, whichever process is killed in the middle of a run", async function () {
    this.timeout(180_000);
    const signal = deadline(170_000, "interrupt runs");
    for (const [index, victim] of VICTIMS.entries()) {
      await runInterrupted(engine.daemon, { victim, afterMs: 20 + index * 13 }, signal);
    }
    await eventually(async () => (await engine.ok("ps", "-aq")) === "", 30_000);
    // the rest is compared behind the last test, with what the daemon had at first
  });

  async function served(path: string): Promise<void> {
    await eventually(async () => {
      const response = await fetch(`http://127.0.0.1:8080${path}`, { signal: AbortSignal.timeout(2_000) });
      return (await response.text()) !== "";
    }, 10_000);
  }

  async function untilLogs(name: string, text: string, timeoutMs = 10_000): Promise<void> {
    await eventually(async () => (await engine.ok("logs", name)) === text, timeoutMs);
  }

  /** How many containers are to be restarted. */
  async function wanted(): Promise<number> {
    const client = new pg.Client({
      host: join(engine.daemon.run, "postgres"),
      port: 5432,
      user: "ctl",
      database: "ctl",
    });
    await client.connect();
    try {
      const { rows } = await client.query<{ n: number }>(
        "select count(*)::int as n from containers.containers where wants_restart",
      );
      return rows[0]?.n ?? 0;
    } finally {
      await client.end();
    }
  }

  async function answers(): Promise<void> {
    await eventually(async () => (await engine.ctl("ps")).exitCode === 0, 20_000).catch(async (error) => {
      throw new Error(`ps does not answer; ${(await readFile(engine.daemon.log, "utf8")).slice(-2_000)}`, {
        cause: error,
      });
    });
  }

  async function states(): Promise<Record<string, string>> {
    const listed = await engine.ok("ps", "-a", "--format", "{{.Names}} {{.State}}");
    return Object.fromEntries(listed.split("\n").map((line) => line.split(" ") as [string, string]));
  }
});
