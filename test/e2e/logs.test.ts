import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("ctl logs", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("shows both streams apart, of one that runs and of one that has ended", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", "echo out; echo err >&2; sleep 60");
    await eventually(async () => {
      const { stdout, stderr } = await engine.ctl("logs", "box");
      expect({ stdout, stderr }).to.deep.equal({ stdout: "out\n", stderr: "err\n" });
      return true;
    });
    await engine.ok("kill", "box");
    expect((await engine.ctl("logs", "box")).stdout).to.equal("out\n");
  });

  it("shows the last lines alone with --tail", async () => {
    await engine.ok("run", "--name", "box", "busybox", "seq", "1", "1000");
    expect(await engine.ok("logs", "--tail", "3", "box")).to.equal("998\n999\n1000");
    expect(await engine.ok("logs", "-n", "0", "box")).to.equal("");
    expect((await engine.ok("logs", "--tail", "all", "box")).split("\n")).to.have.length(1000);
  });

  it("shows the time of each line with -t, and those since a time with --since", async () => {
    await engine.ok(
      "run",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "echo one; sleep 0.3; echo two; sleep 0.3; echo three",
    );
    const lines = (await engine.ok("logs", "-t", "box")).split("\n");
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /, ""))).to.deep.equal([
      "one",
      "two",
      "three",
    ]);
    const second = lines[1]?.split(" ")[0] ?? "";
    expect(await engine.ok("logs", "--since", second, "box")).to.equal("two\nthree");
    expect(await engine.ok("logs", "--since", "1h", "box")).to.equal("one\ntwo\nthree");
  });

  it("follows with -f from the first line on, and ends with the container", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "echo first; read line </dev/null; sleep 1; echo last",
    );
    await using following = engine.start("logs", "-f", "box");
    await following.untilStdout("first\n");
    expect(await following.exitCode()).to.equal(0);
    expect(following.stdout()).to.equal("first\nlast\n");
  });

  it("keeps an unfinished last line, empty lines and bytes that are no text", async () => {
    await engine.ok("run", "--name", "box", "busybox", "printf", "a\\n\\n\\303\\244\\nunfinished");
    const { stdout } = await engine.ctl("logs", "box");
    expect(stdout).to.equal("a\n\nä\nunfinished");
  });

  it("keeps a line that is longer than a record", async () => {
    await engine.ok(
      "run",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end",
    );
    const [long = "", end] = (await engine.ok("logs", "box")).split("\n");
    expect(long.length).to.equal(200_000);
    expect(end).to.equal("end");
  });

  it("of a container that nobody knows says so", async () => {
    expect(await engine.fails(1, "logs", "nobody")).to.match(/nobody/);
  });
});
