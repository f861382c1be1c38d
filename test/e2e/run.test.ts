import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("ctl run", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("in the foreground passes both streams and the exit code on", async () => {
    const { exitCode, stdout, stderr } = await engine.ctl(
      ...["run", "--rm", "busybox", "sh", "-c", "echo to stdout; echo to stderr >&2; exit 42"],
    );
    expect({ exitCode, stdout, stderr }).to.deep.equal({
      exitCode: 42,
      stdout: "to stdout\n",
      stderr: "to stderr\n",
    });
  });

  it("passes on every byte of a large output, in order", async () => {
    const stdout = await engine.ok("run", "--rm", "busybox", "seq", "1", "60000");
    expect(stdout.split("\n").length).to.equal(60_000);
    expect(stdout.endsWith("\n59999\n60000")).to.equal(true);
  });

  it("with -d answers the id at once and leaves the container running", async () => {
    const id = await engine.ok("run", "-d", "--name", "sleeper", "busybox", "sleep", "60");
    expect(id).to.match(/^[0-9a-f]{64}$/);
    expect(await engine.ok("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}}")).to.equal(
      `${id} sleeper busybox`,
    );
    expect(await engine.inspect("sleeper", "State.Status")).to.equal("running");
  });

  it("with --rm leaves nothing to list, in the foreground and detached", async () => {
    await engine.ok("run", "--rm", "busybox", "true");
    expect(await engine.ok("ps", "-aq")).to.equal("");
    await engine.ok("run", "-d", "--rm", "busybox", "true");
    await eventually(async () => (await engine.ok("ps", "-aq")) === "");
  });

  it("without --rm keeps the container with its exit code", async () => {
    await engine.fails(3, "run", "--name", "ended", "busybox", "sh", "-c", "exit 3");
    expect(await engine.inspect("ended", "State.ExitCode")).to.equal(3);
    expect(await engine.ok("ps", "-a", "--format", "{{.Names}} {{.Status}}")).to.match(/^ended Exited \(3\) .* ago$/);
  });

  it("with --rm gives the exit code of a process that runs for longer than a deadline", async () => {
    // a wait "for ever" of 2^40 ms was cut to 32 bits on its way and ended after 12.2 s
    await engine.fails(7, "run", "--rm", "busybox", "sh", "-c", "sleep 13; exit 7");
  }).timeout(60_000);

  it("gives standard input with -i, to its end", async () => {
    await using run = engine.start("run", "--rm", "-i", "busybox", "wc", "-c");
    run.write("x".repeat(100_000));
    run.closeStdin();
    expect(await run.exitCode()).to.equal(0);
    expect(run.stdout().trim()).to.equal("100000");
  });

  it("passes a signal on to the container, and its exit code back", async () => {
    const script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    await using run = engine.start("run", "--rm", "busybox", "sh", "-c", script);
    await run.untilStdout("ready");
    run.signal("SIGTERM");
    expect(await run.exitCode()).to.equal(7);
    expect(run.stdout()).to.equal("ready\nasked\n");
  });

  it("sets environment, working directory, user, hostname and labels as asked", async () => {
    const script = "echo $A:$B:$PWD:$(id -u):$(id -g):$(hostname)";
    const asked = ["-e", "A=one", "-e", "B=two words", "-w", "/var", "-u", "65534:100", "-h", "box", "-l", "k=v"];
    expect(await engine.ok("run", "--name", "asked", ...asked, "busybox", "sh", "-c", script)).to.equal(
      "one:two words:/var:65534:100:box",
    );
    expect(await engine.inspect("asked", "Config.Labels")).to.deep.equal({ k: "v" });
  });

  it("makes a working directory that the image lacks, and finds a user by name", async () => {
    const made = await engine.ok(
      "run",
      "--rm",
      "-w",
      "/made/here",
      "-u",
      "nobody",
      "busybox",
      "sh",
      "-c",
      "pwd; id -un",
    );
    expect(made).to.equal("/made/here\nnobody");
  });

  it("has the id's first 12 digits as hostname, and a name of two words, where nobody gave one", async () => {
    const id = await engine.ok("run", "-d", "busybox", "hostname");
    await engine.ok("wait", id);
    expect(await engine.ok("logs", id)).to.equal(id.slice(0, 12));
    expect(await engine.inspect(id, "Name")).to.match(/^\/[a-z]+_[a-z]+\d*$/);
  });

  it("composes the command from the image's entrypoint and command and the caller's, as Docker does", async () => {
    const config = { Entrypoint: ["/bin/echo", "entry"], Cmd: ["command"] };
    const both = await engine.push("with/both", [], config);
    expect(await engine.ok("run", "--rm", "-q", both)).to.equal("entry command");
    expect(await engine.ok("run", "--rm", both, "given")).to.equal("entry given");
    expect(await engine.ok("run", "--rm", "--entrypoint", "/bin/echo", both)).to.equal("");
    expect(await engine.ok("run", "--rm", "--entrypoint", "/bin/echo", both, "given")).to.equal("given");
    expect(await engine.ok("run", "--rm", "--entrypoint", "", both, "/bin/echo", "bare")).to.equal("bare");
    await engine.ok("rmi", both);
  });

  describe("ends with Docker's own codes", () => {
    it("125 when the daemon refuses", async () => {
      expect(await engine.fails(125, "run", "--name", "not/allowed", "busybox", "true")).to.contain("not/allowed");
    });
    it("126 when the command cannot be executed", async () => {
      expect(await engine.fails(126, "run", "--rm", "busybox", "/etc/passwd")).to.match(/no program|not executable/);
    });
    it("127 when there is no such command", async () => {
      expect(await engine.fails(127, "run", "--rm", "busybox", "no-such-program")).to.contain("no-such-program");
    });
    it("137 when the container was killed", async () => {
      await using run = engine.start("run", "--name", "victim", "busybox", "sh", "-c", "echo up; sleep 60");
      await run.untilStdout("up");
      await engine.ok("kill", "victim");
      expect(await run.exitCode()).to.equal(137);
    });
  });
});
