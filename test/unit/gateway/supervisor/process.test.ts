import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { processesWith } from "../../../../gateway/supervisor/process.ts";
import { eventually } from "../../../lab/eventually.ts";
import { startProgram } from "../../../lab/program.ts";

describe("the processes with an argument", () => {
  it("are those that were started with it, the newest first, and none that one of them is just starting", async () => {
    const argument = `--listen=${randomUUID()}`;
    // a subshell is a fork that executes nothing: it keeps the arguments of the shell
    const script = "(while :; do sleep 0.1; done) >/dev/null 2>&1 & echo $!; wait";
    const command = { program: "sh", args: ["-c", script, "sh", argument], env: { PATH: process.env["PATH"] } };
    await using one = startProgram(command, "/");
    const forked = [Number(await one.untilStdout(/\d+\n/))];
    try {
      await using two = startProgram(command, "/");
      forked.push(Number(await two.untilStdout(/\d+\n/)));
      await eventually(async () => {
        const found = (await processesWith(argument)).map(({ identity }) => identity.pid);
        expect(found).to.have.members([one.pid, two.pid]);
        return true;
      });
    } finally {
      for (const pid of forked) process.kill(pid, "SIGKILL");
    }
  });
});
