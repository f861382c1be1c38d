import { expect } from "chai";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { stateAtRest, untilAsBefore } from "../lab/instance-state.ts";
import { sharedEngine } from "./engine.ts";

describe("what cannot be done", function () {
  this.timeout(30_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("says what, why and what to do instead", async () => {
    await engine.ok("create", "--name", "taken", "busybox");
    const message = await engine.fails(125, "run", "--name", "taken", "busybox", "true");
    expect(message)
      .to.contain("taken")
      .and.to.match(/has that name|already in use/)
      .and.to.match(/rm|--name/);
  });

  it("is refused in the command line, naming the flag or command", async () => {
    expect(await engine.fails(125, "run", "--no-such-flag", "busybox")).to.contain("no-such-flag");
    expect(await engine.fails(125, "ps", "--no-such-flag")).to.contain("no-such-flag");
    expect((await engine.ctl("no-such-command")).stderr).to.contain("no-such-command");
    expect((await engine.ctl("no-such-command")).exitCode).to.not.equal(0);
    expect(await engine.fails(1, "run")).to.match(/usage|requires|argument|image/i);
    expect(await engine.fails(125, "run", "-m", "lots", "busybox")).to.contain("lots");
    expect(await engine.fails(125, "run", "-v", "relative/path:/x", "busybox", "true")).to.contain("relative/path");
    expect(await engine.fails(125, "run", "--restart", "sometimes", "busybox")).to.contain("sometimes");
    expect(await engine.fails(125, "run", "--network", "nowhere", "busybox", "true")).to.contain("nowhere");
    expect(await engine.fails(125, "run", "-u", "nobody-here", "busybox", "true")).to.contain("nobody-here");
  });

  it("leaves nothing, however far it had come", async () => {
    const before = await stateAtRest(engine.daemon);
    const attempts = [
      ["run", "--rm", "busybox", "no-such-program"],
      ["run", "-d", "--rm", "-v", "new:/data", "busybox", "no-such-program"],
      ["run", "--rm", "--network", "nowhere", "busybox"],
      ["run", "--rm", "--cap-add", "NOT_A_CAPABILITY", "busybox"],
      ["run", "--rm", "-u", "nobody-here", "busybox"],
      ["run", "--rm", "--ip", "10.99.99.99", "busybox"],
    ];
    for (const attempt of attempts)
      expect((await engine.ctl(...attempt)).exitCode, attempt.join(" ")).to.be.oneOf([125, 127]);
    await engine.ctl("volume", "rm", "new");
    expect(await engine.ok("ps", "-aq")).to.equal("");
    await untilAsBefore(engine.daemon, before);
  });

  it("is said by a CLI that finds no daemon, with the socket's path and a code of its own", async () => {
    const { program, args, env } = engine.daemon.ctlCommand(["ps"]);
    const elsewhere = { ...env, CTL_RUN: "/nowhere", CTL_HOST: "unix:///nowhere/ctl.sock" };
    const signal = deadline(10_000, "run ctl");
    const listed = await runCommand(program, args, { env: elsewhere, signal });
    expect(listed.exitCode).to.equal(1);
    expect(listed.stderr).to.contain("/nowhere/ctl.sock");
    const run = engine.daemon.ctlCommand(["run", "busybox"]);
    expect((await runCommand(run.program, run.args, { env: elsewhere, signal })).exitCode).to.equal(125);
  });

  it("does not come in the way of others: twenty runs at once, every second one impossible", async () => {
    const runs = Array.from({ length: 20 }, (_, index) =>
      engine.ctl("run", "--rm", "busybox", ...(index % 2 === 0 ? ["echo", `${index}`] : ["no-such-program"])),
    );
    const results = await Promise.all(runs);
    results.forEach(({ exitCode, stdout }, index) => {
      expect(exitCode, `run ${index}`).to.equal(index % 2 === 0 ? 0 : 127);
      if (index % 2 === 0) expect(stdout).to.equal(`${index}\n`);
    });
  });
});
