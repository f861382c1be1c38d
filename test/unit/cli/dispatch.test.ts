import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { COMMANDS, GROUPS } from "../../../cli/commands.ts";
import { VERSION } from "../../../cli/version.ts";
import { ctl, RUNTIMES } from "./programs.ts";

const NO_DAEMON = { CTL_HOST: "unix:///nowhere/ctl.sock" };

for (const [name, runtime] of RUNTIMES) {
  describe(`ctl in ${name}`, function () {
    this.timeout(30_000);
    const run = (...args: string[]) => ctl(runtime, args, NO_DAEMON);

    it("tells its version without a daemon", async () => {
      expect(await run("--version")).to.deep.equal({ code: 0, stdout: `ctl version ${VERSION}\n`, stderr: "" });
    });

    it("lists all commands when nothing is asked, and a group's when that is named alone", async () => {
      const all = await run();
      expect(all.code).to.equal(0);
      for (const word of [...Object.keys(COMMANDS), ...Object.keys(GROUPS)])
        expect(all.stdout).to.include(`  ${word} `);
      expect((await run("--help")).stdout).to.equal(all.stdout);
      expect((await run("network")).stdout).to.include("Usage:  ctl network COMMAND");
    });

    it("has help for a command under each of its names", async () => {
      const help = await run("run", "--help");
      expect(help.stdout).to.include("Usage:  ctl run [OPTIONS] IMAGE [COMMAND] [ARG...]");
      expect(help.stdout).to.match(/^ {2}-p, --publish list +Publish a port/m);
      expect((await run("help", "run")).stdout).to.equal(help.stdout);
      expect((await run("container", "run", "--help")).stdout).to.include("Usage:  ctl container run");
    });

    it("ends with Docker's codes when it is called wrongly, and says what was meant", async () => {
      const wrong = async (code: number, text: string, ...args: string[]) => {
        const result = await run(...args);
        expect(result).to.include({ code, stdout: "" });
        expect(result.stderr).to.include(text);
      };
      await wrong(1, "did you mean ctl images?", "imges");
      await wrong(1, "did you mean ctl network inspect?", "network", "inspekt");
      await wrong(125, "did you mean --filter?", "ps", "--fliter", "x=y");
      await wrong(125, "flag needs an argument: --name", "run", "--name");
      await wrong(1, '"ctl ps" accepts no arguments', "ps", "web");
      await wrong(1, '"ctl run" requires at least 1 argument', "run");
      await wrong(1, '"ctl rename" requires exactly 2 arguments', "rename", "web");
      await wrong(125, "invalid hostPort: 99999", "run", "-p", "99999:80", "nginx");
      await wrong(125, "the input device is not a TTY", "run", "-it", "busybox");
      await wrong(125, "only unix sockets are spoken to", "--host", "tcp://1.2.3.4:5", "ps");
    });

    it("says how to begin when no daemon runs: exit code 1, and 125 from run", async () => {
      const ps = await run("ps");
      expect(ps.stderr).to.equal(
        "ctl: cannot reach the daemon at unix:///nowhere/ctl.sock: no daemon is running there\n" +
          "fix: start it with ctld (or systemctl start ctld); for one elsewhere use --host or CTL_HOST\n",
      );
      expect(ps.code).to.equal(1);
      for (const flags of [["-d"], ["--rm"], []]) expect((await run("run", ...flags, "busybox")).code).to.equal(125);
      expect((await run("version")).stdout).to.include(`Version:   ${VERSION}`);
    });
  });
}

describe("every command", () => {
  it("can be loaded, and its flags have short forms of their own", async () => {
    const loads = [COMMANDS, ...Object.values(GROUPS).map(({ commands }) => commands)].flatMap((all) =>
      Object.entries(all),
    );
    for (const [name, load] of loads) {
      const { flags, summary, usage } = await load();
      const shorts = Object.values(flags).flatMap(({ short }) => (short === undefined ? [] : [short]));
      expect(shorts, name).to.deep.equal([...new Set(shorts)]);
      for (const [flag, { help }] of Object.entries(flags)) expect(help, `${name} --${flag}`).to.not.equal("");
      expect(summary, name).to.not.equal("");
      expect(usage, name).to.match(/^(\[|[A-Z])/);
    }
  });

  it("is of the release that package.json names", async () => {
    const text = await readFile(join(import.meta.dirname, "../../../package.json"), "utf8");
    expect(JSON.parse(text).version).to.equal(VERSION);
  });
});
