import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { descendants } from "../../../services/containers/exec/kill-tree.ts";
import { resizeTerminalOf, type TerminalSize } from "../../../services/kit/linux/pty.ts";
import { eventually } from "../../lab/eventually.ts";
import type { RunningProgram } from "../../lab/program.ts";
import type { DockerCommand } from "./docker-command.ts";

async function resize(on: RunningProgram, size: TerminalSize): Promise<void> {
  const [child = 0] = await descendants(on.pid);
  expect(await resizeTerminalOf(child, size)).to.equal(true);
}

/** What the docker command does with ctl. */
export function worksWithCtl({ engine, docker, ok, fails, start, startOnTerminal, inspect }: DockerCommand): void {
  it("runs in the foreground: output apart, standard input, the exit code", async () => {
    const result = await docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7");
    expect(result).to.deep.equal({ exitCode: 7, stdout: "out\n", stderr: "err\n" });
    await using cat = start("run", "--rm", "-i", "busybox", "cat");
    cat.write("hello\n");
    await cat.untilStdout("hello\n");
    cat.closeStdin();
    expect(await cat.exitCode()).to.equal(0);
    expect(await ok("ps", "-aq")).to.equal("");
  });

  it("runs on a terminal with its size, and detaches by keys", async () => {
    await using shell = startOnTerminal("run", "-it", "--name", "one", "busybox", "sh");
    await shell.untilStdout("# ");
    shell.write("echo a$((1+1))b\n");
    await shell.untilStdout("a2b");
    shell.write("\u0010\u0011");
    await shell.exitCode();
    expect(await inspect("inspect", "one")).to.have.nested.property("State.Running", true);
    await using again = startOnTerminal("attach", "one");
    again.write("exit 5\n");
    expect(await again.exitCode()).to.equal(5);
  });

  it("runs in the background, stops, starts, restarts, kills, pauses, renames, removes", async () => {
    const script = "trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done";
    const id = await ok("run", "-d", "--name", "one", "busybox", "sh", "-c", script);
    expect(id).to.match(/^[0-9a-f]{64}$/);
    await eventually(async () => (await ok("logs", "one")) === "up");
    expect(await ok("stop", "one")).to.equal("one");
    expect(await ok("stop", "one"), "a stopped one is left as it is").to.equal("one");
    expect(await inspect("inspect", "one")).to.have.nested.property("State.ExitCode", 4);
    await ok("start", "one");
    await ok("restart", "-t", "1", "one");
    await ok("pause", "one");
    expect(await ok("ps", "--format", "{{.Status}}")).to.match(/\(Paused\)$/);
    await ok("unpause", "one");
    await ok("rename", "one", "two");
    expect(await fails(1, "rm", "two")).to.match(/container is running|You cannot remove a running container/);
    await ok("kill", "two");
    expect(await ok("wait", "two")).to.equal("137");
    expect(await fails(1, "kill", "two")).to.include("is not running");
    await ok("rm", "two");
    expect(await fails(1, "rm", "two")).to.include("No such container: two");
  });

  it("executes in a container, with its streams and exit codes", async () => {
    await ok("run", "-d", "--name", "one", "-e", "A=1", "busybox", "sleep", "60");
    const result = await docker("exec", "-e", "B=2", "-w", "/tmp", "one", "sh", "-c", "echo $A$B; pwd >&2; exit 6");
    expect(result).to.deep.equal({ exitCode: 6, stdout: "12\n", stderr: "/tmp\n" });
    await using cat = start("exec", "-i", "one", "cat");
    cat.write("piped\n");
    cat.closeStdin();
    expect(await cat.exitCode()).to.equal(0);
    expect(cat.stdout()).to.equal("piped\n");
    expect((await docker("exec", "one", "nope")).exitCode).to.be.oneOf([126, 127]);
    expect(await fails(1, "exec", "nope", "true")).to.include("No such container: nope");
    await ok("kill", "one");
    expect(await fails(1, "exec", "one", "true")).to.include("is not running");
  });

  it("executes on a terminal that has ours's size, now and when it changes, and detaches by keys", async () => {
    await ok("run", "-d", "--name", "one", "busybox", "sleep", "60");
    await using shell = startOnTerminal("exec", "-it", "--detach-keys", "ctrl-a", "one", "sh");
    await shell.untilStdout("# ");
    await resize(shell, { rows: 41, columns: 111 });
    await eventually(async () => {
      shell.write("stty size\n");
      await delay(100);
      return shell.stdout().includes("41 111\r\n");
    });
    shell.write("exec sleep 61\n");
    await eventually(async () => (await ok("top", "one")).includes("sleep 61"));
    shell.write("\u0001");
    await shell.exitCode();
    expect(await ok("top", "one")).to.include("sleep 61");
    await using over = startOnTerminal("exec", "-it", "one", "sh", "-c", "exit 9");
    expect(await over.exitCode()).to.equal(9);
  });

  it("ends with Docker's exit codes where nothing can run", async () => {
    expect(await fails(127, "run", "--rm", "busybox", "nope")).to.include("executable file not found in $PATH");
    expect(await fails(126, "run", "--rm", "busybox", "/etc")).to.match(/permission denied|is a directory/);
    expect(await fails(125, "run", "--rm", "-v", "/a:b", "busybox")).to.match(/must be absolute|invalid/);
    await ok("run", "-d", "--name", "one", "busybox", "sleep", "60");
    expect(await fails(125, "run", "--name", "one", "busybox")).to.include(
      'The container name "/one" is already in use',
    );
  });

  it("follows logs", async () => {
    await ok("run", "-d", "--name", "one", "busybox", "sh", "-c", "echo one; sleep 0.5; echo two");
    await using logs = start("logs", "-f", "one");
    expect(await logs.exitCode()).to.equal(0);
    expect(logs.stdout()).to.equal("one\ntwo\n");
  });

  it("removes an image and pulls it again, with progress", async () => {
    await ok("tag", "busybox", "other:1");
    expect(await ok("rmi", "other:1")).to.equal("Untagged: other:1");
    expect(await ok("rmi", "busybox")).to.include("Untagged: busybox:latest");
    const pulled = await ok("pull", "busybox");
    expect(pulled)
      .to.match(/Pull complete|Already exists/)
      .and.match(/Digest: sha256:[0-9a-f]{64}/);
    expect(pulled).to.include("Status: Downloaded newer image for busybox:latest");
    expect(await ok("pull", "busybox")).to.include("Status: Image is up to date for busybox:latest");
    const unknown = `${engine.registry.address}/library/busybox:nope`;
    expect(await fails(1, "pull", unknown)).to.include("manifest unknown");
    expect(await fails(125, "run", "--rm", "--pull", "never", "nope")).to.match(/No such image: nope/);
  });

  it("makes networks and volumes, uses and removes them", async () => {
    await ok("network", "create", "--subnet", "10.231.7.0/24", "--label", "a=b", "lan");
    await ok("volume", "create", "--label", "a=b", "data");
    await ok("run", "--rm", "--network", "lan", "-v", "data:/data", "busybox", "sh", "-c", "echo kept > /data/f");
    expect(await ok("run", "--rm", "-v", "data:/data:ro", "busybox", "cat", "/data/f")).to.equal("kept");
    await ok("run", "-d", "--name", "one", "--network", "lan", "-v", "data:/data", "busybox", "sleep", "60");
    expect(await inspect("inspect", "one"))
      .to.have.nested.property("NetworkSettings.Networks.lan.IPAddress")
      .that.match(/^10\.231\.7\./);
    expect(await fails(1, "network", "rm", "lan")).to.include("has active endpoints");
    expect(await fails(1, "volume", "rm", "data")).to.include("volume is in use");
    await ok("rm", "-f", "one");
    expect(await ok("network", "ls", "-q", "--filter", "label=a=b")).to.match(/^[0-9a-f]{12}$/);
    expect(await ok("network", "rm", "lan")).to.equal("lan");
    expect(await ok("volume", "rm", "data")).to.equal("data");
    expect(await fails(1, "network", "rm", "bridge")).to.include("pre-defined network");
  });
}
