import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { runCommand } from "../../../../services/kit/command.ts";
import { signal } from "./rooms.ts";

const PROGRAM = fileURLToPath(new URL("./v2-container.ts", import.meta.url));
const V2_ONLY = 'umount --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"';

describe("a host with cgroup v2 alone", () => {
  it("runs a container with whichever runtime works there, counts what it uses, and kills it at once", async () => {
    const args = ["--mount", "--propagation", "private", "sh", "-c", V2_ONLY, "sh", process.execPath, PROGRAM];
    const { exitCode, stdout, stderr } = await runCommand("unshare", args, {
      signal: signal("run it"),
      env: process.env,
    });
    expect(exitCode, stderr).to.equal(0);
    const { cpuUs, ...rest } = JSON.parse(stdout);
    expect(rest).to.deep.equal({ mode: "v2", exitCode: 137, left: 0 });
    expect(cpuUs).to.be.greaterThan(0);
  });
});
