import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const MB = 1024 * 1024;

describe("a container's limits and policy", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("change while it runs, are shown, and hold for its next run", async () => {
    const before = ["-m", "64m", "--pids-limit", "50"];
    await engine.ok("run", "-d", "--name", "box", "--stop-signal", "KILL", ...before, "busybox", "sleep", "600");
    expect(await engine.ok("update", "-m", "96m", "--cpus", "0.5", "--restart", "on-failure:3", "box")).to.equal("box");
    const changed = { memory: String(96 * MB), pids: "50" };
    expect(await limits()).to.deep.equal(changed);
    expect(await engine.inspect("box", "HostConfig.Memory")).to.equal(96 * MB);
    expect(await engine.inspect("box", "HostConfig.NanoCpus")).to.equal(5e8);
    expect(await engine.inspect("box", "HostConfig.RestartPolicy")).to.deep.equal({
      Name: "on-failure",
      MaximumRetryCount: 3,
    });
    await engine.ok("restart", "box");
    expect(await limits()).to.deep.equal(changed);
    await engine.ok("update", "--pids-limit", "-1", "box");
    expect((await limits()).pids).to.equal("max");
  });

  it("that the kernel refuses are as they were, those beside them too", async () => {
    const fill = "head -c 40m /dev/zero > /dev/shm/full; echo full; sleep 600";
    const flags = ["--name", "box", "-m", "64m", "--shm-size", "64m", "--stop-signal", "KILL"];
    await engine.ok("run", "-d", ...flags, "busybox", "sh", "-c", fill);
    await eventually(async () => (await engine.ok("logs", "box")) === "full");
    expect(await engine.fails(1, "update", "-m", "8m", "--pids-limit", "7", "box")).to.match(/in use/);
    expect(await limits()).to.deep.equal({ memory: String(64 * MB), pids: "max" });
    expect(await engine.inspect("box", "HostConfig.Memory")).to.equal(64 * MB);
    expect(await engine.fails(1, "update", "-m", "1m", "box")).to.match(/6 MB/);
    expect(await engine.fails(1, "update", "--restart", "always", "nobody")).to.match(/nobody/);
  });

  it("restart one from now on that was not to be restarted; one that removes itself is refused", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 1; exit 3");
    await engine.ok("update", "--restart", "on-failure:1", "box");
    await eventually(async () => Number(await engine.inspect("box", "RestartCount")) === 1);
    await engine.ok("run", "-d", "--rm", "--name", "fleeting", "busybox", "sleep", "600");
    expect(await engine.fails(1, "update", "--restart", "always", "fleeting")).to.match(/--rm/);
  });

  /** As the container sees them. */
  async function limits(): Promise<{ memory: string; pids: string }> {
    const memory = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    const pids = "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
    const [bytes = "", count = ""] = (await engine.ok("exec", "box", "sh", "-c", `${memory}; ${pids}`)).split("\n");
    return { memory: bytes, pids: count };
  }
});
