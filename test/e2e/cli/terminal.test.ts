import { expect } from "chai";
import { descendants } from "../../../services/containers/exec/kill-tree.ts";
import { resizeTerminalOf } from "../../../services/kit/linux/pty.ts";
import { eventually } from "../../lab/eventually.ts";
import { type RunningProgram, startProgram } from "../../lab/program.ts";
import { file, tar } from "../../lab/tar.ts";
import { sharedEngine } from "../engine.ts";

/** Waits for another size than 33 lines, and says it. */
const SIZE_AFTER_CHANGE = "while stty size | grep -q ^33; do sleep 0.05; done; stty size";
const CTRL_P_CTRL_Q = "\x10\x11";
const CTRL_C = "\x03";
const CTRL_D = "\x04";

describe("ctl on a terminal", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  /** util-linux's script gives it a pseudo-terminal, here of 33 lines of 99 columns. */
  function onTerminal(...args: string[]): RunningProgram {
    return onTerminalWith({}, ...args);
  }

  function onTerminalWith(more: Readonly<Record<string, string>>, ...args: string[]): RunningProgram {
    const { program, args: words, env } = engine.daemon.ctlCommand(args);
    const line = [program, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const script = `stty rows 33 cols 99; ${line}; echo "ended with $?"`;
    const command = { program: "script", args: ["-qefc", script, "/dev/null"], env: { ...env, ...more } };
    return startProgram(command, engine.daemon.directory);
  }

  async function resize(on: RunningProgram, rows: number, columns: number): Promise<void> {
    const [child = 0] = await descendants(on.pid);
    expect(await resizeTerminalOf(child, { rows, columns })).to.equal(true);
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

  it("has the terminal's size from the first byte on, also of one that is started again, and when it changes", async () => {
    await using first = onTerminal("run", "-it", "--name", "box", "busybox", "sh", "-c", "stty size");
    expect(await first.untilStdout("ended with")).to.equal("33 99\r\nended with 0\r\n");
    await engine.ok("rm", "box");
    await engine.ok("create", "-it", "--name", "box", "busybox", "sh", "-c", `stty size; ${SIZE_AFTER_CHANGE}`);
    await using again = onTerminal("start", "-ai", "box");
    await again.untilStdout("33 99\r\n");
    await resize(again, 40, 110);
    expect(await again.untilStdout("ended with")).to.equal("33 99\r\n40 110\r\nended with 0\r\n");
  });

  it("executes in a container on a terminal: size, keys, exit code, signals, and detach keys that leave it running", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
    // crun sets an exec's size while its process starts already
    const script = `until stty size 2>/dev/null; do :; done; tty; ${SIZE_AFTER_CHANGE}; exit 3`;
    await using sized = onTerminal("exec", "-it", "box", "sh", "-c", script);
    await sized.untilStdout("/dev/pts/");
    await resize(sized, 40, 110);
    expect(await sized.untilStdout("ended with")).to.equal("33 99\r\n/dev/pts/0\r\n40 110\r\nended with 3\r\n");

    await using shell = onTerminal("exec", "-it", "--detach-keys", "ctrl-a,d", "box", "sh");
    await shell.untilStdout("/ # ");
    shell.write("sleep 601\n");
    await eventually(async () => (await engine.ok("top", "box")).includes("sleep 601"));
    shell.write(CTRL_C);
    await shell.untilStdout("^C\r\n");
    shell.write("sleep 602\n");
    await eventually(async () => (await engine.ok("top", "box")).includes("sleep 602"));
    shell.write("\x01d");
    expect(await shell.untilStdout("ended with")).to.match(/ended with 0\r\n$/);
    expect(await engine.ok("top", "box")).to.include("sleep 602");
    expect(await engine.ok("execs", "ls", "--format", "{{.Command}} {{.Status}}")).to.equal('"sh" Running');
  });

  it("takes the keys that detach from the environment or Docker's configuration, where the command line says none", async () => {
    const configured = { CTL_DETACH_KEYS: "ctrl-x" };
    await using shell = onTerminalWith(configured, "run", "-it", "--name", "box", "busybox", "sh");
    await shell.untilStdout("/ # ", 15_000);
    shell.write("\x18");
    expect(await shell.untilStdout("ended with")).to.match(/ended with 0\r\n$/);
    expect(await engine.inspect("box", "State.Running")).to.equal(true);
  });

  it("goes on in the middle of a session when the containers service comes back", async () => {
    const script = "while read line; do echo got $line; done; exit 6";
    await using shell = onTerminal("run", "-it", "--rm", "busybox", "sh", "-c", script);
    shell.write("one\n");
    await shell.untilStdout("got one\r\n", 15_000);
    await engine.daemon.kill("containers");
    await eventually(async () => (await engine.ctl("ps")).exitCode === 0, 20_000);
    await eventually(() => {
      shell.write("two\n");
      return shell.stdout().includes("got two\r\n");
    }, 15_000);
    shell.write(CTRL_D);
    expect(await shell.untilStdout("ended with", 15_000)).to.match(/ended with 6\r\n$/);
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
