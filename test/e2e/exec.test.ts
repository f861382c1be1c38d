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
