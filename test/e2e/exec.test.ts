import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("ctl exec", () => {
  const engine = sharedEngine({ images: ["busybox"] });
  beforeEach(async () => {
    await engine.ok("run", "-d", "--name", "box", "-e", "A=from run", "-w", "/var", "busybox", "sleep", "600");
  });

  it("runs a program in the container, with both streams and the exit code", async () => {
    const { exitCode, stdout, stderr } = await engine.ctl("exec", "box", "sh", "-c", "hostname; echo oops >&2; exit 6");
    expect(exitCode).to.equal(6);
    expect(stdout.trim()).to.equal(((await engine.inspect("box", "Id")) as string).slice(0, 12));
    expect(stderr).to.equal("oops\n");
  });

  it("has the container's environment and directory, and what is asked for beside", async () => {
    const script = "echo $A:$B:$PWD:$(id -un)";
    expect(await engine.ok("exec", "box", "sh", "-c", script)).to.equal("from run::/var:root");
    expect(await engine.ok("exec", "-e", "B=new", "-w", "/tmp", "-u", "nobody", "box", "sh", "-c", script)).to.equal(
      "from run:new:/tmp:nobody",
    );
  });

  it("gives standard input with -i, to its end", async () => {
    await using exec = engine.start("exec", "-i", "box", "cat");
    exec.write("to and fro\n");
    await exec.untilStdout("to and fro\n");
    exec.closeStdin();
    expect(await exec.exitCode()).to.equal(0);
  });

  it("ends with its client, and leaves no process behind", async () => {
    await using exec = engine.start("exec", "box", "sh", "-c", "echo up; sleep 777; echo never");
    await exec.untilStdout("up");
    exec.signal("SIGKILL");
    await eventually(async () => !(await engine.ok("exec", "box", "ps")).includes("sleep 777"));
  });

  it("ends also when the gateway is killed between it and its client", async () => {
    await using exec = engine.start("exec", "box", "sh", "-c", "echo up; sleep 778; echo never");
    await exec.untilStdout("up");
    await engine.daemon.kill("gateway");
    await engine.daemon.start();
    await eventually(async () => !(await engine.ok("exec", "box", "ps")).includes("sleep 778"), 15_000);
  });

  it("is an object: listed, inspected, signalled, and known to its container only while it runs", async () => {
    await using exec = engine.start(
      "exec",
      "-u",
      "nobody",
      "box",
      "sh",
      "-c",
      "trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done",
    );
    await exec.untilStdout("up");
    const [id = "", status] = (
      await engine.ok("execs", "ls", "--no-trunc", "--format", "{{.ID}} {{.Status}}", "box")
    ).split(" ");
    expect(status).to.equal("Running");
    expect(await engine.inspect("box", "ExecIDs")).to.deep.equal([id]);
    const shown = JSON.parse(await engine.ok("execs", "inspect", id.slice(0, 12)))[0];
    expect(shown).to.deep.include({ ID: id, Running: true, ExitCode: null, OpenStdin: false });
    expect(shown.ProcessConfig).to.include({ entrypoint: "sh", user: "nobody" });
    await engine.ok("execs", "kill", "-s", "USR1", id.slice(0, 12));
    expect(await exec.exitCode()).to.equal(9);
    expect(await engine.inspect("box", "ExecIDs")).to.equal(null);
    expect(await engine.ok("execs", "ls", "-a", "--format", "{{.Status}}", "box")).to.equal("Exited (9)");
    expect(await engine.ok("execs", "inspect", "--format", "{{.ExitCode}}", id)).to.equal("9");
    expect(await engine.fails(1, "execs", "kill", id)).to.include("it does not run");
    expect(await engine.fails(1, "execs", "inspect", "feed")).to.include("no such exec");
  });

  it("gets our signals, unless it is not to", async () => {
    const script = "trap 'exit 8' TERM; echo up; while :; do sleep 0.05; done";
    await using proxied = engine.start("exec", "box", "sh", "-c", script);
    await proxied.untilStdout("up");
    proxied.signal("SIGTERM");
    expect(await proxied.exitCode()).to.equal(8);
    await using alone = engine.start("exec", "--sig-proxy=false", "box", "sh", "-c", script);
    await alone.untilStdout("up");
    alone.signal("SIGTERM");
    expect(await alone.exitCode()).to.equal(143);
  });

  it("detached answers at once and goes on", async () => {
    await engine.ok("exec", "-d", "box", "sh", "-c", "sleep 0.3; echo done >/tmp/mark");
    await eventually(async () => (await engine.ctl("exec", "box", "cat", "/tmp/mark")).stdout === "done\n");
  });

  it("ends with 126 and 127 as run does, and with 1 where nothing runs", async () => {
    await engine.fails(127, "exec", "box", "no-such-program");
    await engine.fails(126, "exec", "box", "/etc/passwd");
    await engine.ok("kill", "box");
    expect(await engine.fails(1, "exec", "box", "true")).to.match(/not running/);
  });
});
