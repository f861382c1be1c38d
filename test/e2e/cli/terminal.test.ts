import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { type RunningProgram, startProgram } from "../../lab/program.ts";
import { file, tar } from "../../lab/tar.ts";
import { sharedEngine } from "../engine.ts";

const CTRL_P_CTRL_Q = "\x10\x11";
const CTRL_C = "\x03";
const CTRL_D = "\x04";

describe("ctl on a terminal", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  /** util-linux's script gives it a pseudo-terminal, here of 33 lines of 99 columns. */
  function onTerminal(...args: string[]): RunningProgram {
    const { program, args: words, env } = engine.daemon.ctlCommand(args);
    const line = [program, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const script = `stty rows 33 cols 99; ${line}; echo "ended with $?"`;
    return startProgram({ program: "script", args: ["-qefc", script, "/dev/null"], env }, engine.daemon.directory);
  }

  it("gives the container's shell its size, every key and every byte, and hands its exit code on", async () => {
    await using shell = onTerminal("run", "--rm", "-it", "busybox", "sh");
    await shell.untilStdout("/ # ", 15_000);
    shell.write("stty size\n");
    await shell.untilStdout("33 99\r\n");
    shell.write("sleep 600\n");
    await eventually(async () => (await running()).includes("sleep 600"));
    shell.write(CTRL_C);
    await shell.untilStdout("^C\r\n");
    shell.write("echo 'over'; exit 4\n");
    await shell.untilStdout("over\r\n");
    expect(await shell.untilStdout("ended with")).to.match(/ended with 4\r\n$/);
    expect(shell.stdout()).to.not.include("\r\r\n");
  });

  it("leaves it running at ctrl-p ctrl-q, for somebody who attaches to it again", async () => {
    await using shell = onTerminal("run", "-it", "--name", "box", "busybox", "sh");
    await shell.untilStdout("/ # ", 15_000);
    shell.write("A=kept\n");
    await shell.untilStdout("A=kept\r\n");
    shell.write(CTRL_P_CTRL_Q);
    expect(await shell.untilStdout("ended with")).to.match(/ended with 0\r\n$/);
    expect(await engine.inspect("box", "State.Running")).to.equal(true);

    await using again = onTerminal("attach", "box");
    await again.untilStdout("/ # "); // drawn anew, because of the size that was told again
    again.write("echo $A\n");
    await again.untilStdout("kept\r\n");
    again.write(CTRL_D);
    expect(await again.untilStdout("ended with")).to.match(/ended with 0\r\n$/);
  });

  it("draws a bar for each layer of a pull, each in its own line", async () => {
    const reference = await engine.push("with/layers", [tar(file("new", "x"))]);
    await using pull = onTerminal("pull", reference);
    await pull.untilStdout("Status: Downloaded newer image");
    expect(pull.stdout()).to.include("\x1b[2A"); // up again over both
    expect(pull.stdout()).to.match(/[0-9a-f]{12}: Pull complete/);
    await engine.ok("rmi", reference);
  });

  it("is told apart from a pipe: -it needs one", async () => {
    expect(await engine.fails(125, "run", "--rm", "-it", "busybox", "true")).to.include("not a TTY");
    expect(await engine.ok("run", "--rm", "-t", "busybox", "tty")).to.match(/^\/dev\/(pts\/0|console)\r?$/);
  });

  async function running(): Promise<string> {
    const id = await engine.ok("ps", "-lq");
    return id === "" ? "" : engine.ok("top", id);
  }
});
