import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { type ExecSession, startExec } from "../../../../services/containers/exec/exec.ts";
import { execOutput } from "../../../../services/containers/exec/exec-output.ts";
import { type ExecSpec, execProcess } from "../../../../services/containers/exec/exec-process.ts";
import { resizeTerminalOf } from "../../../../services/kit/linux/pty.ts";
import { eventually } from "../../../lab/eventually.ts";
import { rejection } from "../../../lab/rejection.ts";
import { CRUN, openRooms, type Rooms, RUNC, type StartedContainer, signal, startContainer } from "./rooms.ts";

for (const candidate of [CRUN, RUNC]) {
  describe(`a command executed in a container with ${candidate.kind}`, () => {
    let rooms: Rooms;
    let container: StartedContainer;
    let count = 0;
    before(async () => {
      rooms = await openRooms(candidate);
      container = await startContainer(rooms, ["sleep", "1000"], { spec: { env: ["FROM=container"] } });
    });
    after(async () => {
      await container[Symbol.asyncDispose]();
      await rooms[Symbol.asyncDispose]();
    });

    async function execute(command: readonly string[], parts: Partial<ExecSpec> & { stdin?: boolean } = {}) {
      const { stdin = false, ...spec } = parts;
      const defaults = { env: [], workingDir: "", user: "", privileged: false, tty: false };
      const process = await execProcess({ command, ...defaults, ...spec }, container.config, rooms.facts);
      const directory = join(container.bundlePath, `exec-${count++}`);
      const request = { runtimeId: container.runtimeId, directory, process, stdin };
      return startExec(rooms, request, signal("execute"));
    }

    it("keeps streams apart and passes the exit code on", async () => {
      await using session = await execute(["sh", "-c", "echo out; echo err >&2; exit 3"]);
      expect(await whole(session)).to.deep.equal({ out: "out\n", err: "err\n", exitCode: 3 });
    });

    it("has the container's environment, and the caller's user and directory in its place", async () => {
      await using session = await execute(["sh", "-c", "echo $FROM $OWN $HOME; pwd; id -un"], {
        env: ["OWN=exec"],
        workingDir: "/tmp",
        user: "alice",
      });
      expect((await whole(session)).out).to.equal("container exec /home/alice\n/tmp\nalice\n");
    });

    it("passes 16 MiB of any bytes in and out unchanged, and ends at the end of its input", async () => {
      const sent = Buffer.alloc(16 << 20, createHash("sha512").update("seed").digest());
      await using session = await execute(["cat"], { stdin: true });
      void session.stdin?.write(sent, signal("write")).then(() => session.stdin?.end());
      const digest = createHash("sha256");
      for await (const chunk of session.stdout as AsyncIterable<Buffer>) digest.update(chunk);
      expect(digest.digest("hex")).to.equal(createHash("sha256").update(sent).digest("hex"));
      expect(await session.exitCode).to.equal(0);
    });

    it("is no faster than its reader", async () => {
      await using session = await execute(["sh", "-c", "yes | head -c 1000000; touch /tmp/through"]);
      session.stdout.pause();
      await using look = await execute(["test", "-e", "/tmp/through"]);
      expect(await look.exitCode).to.equal(1);
      expect((await whole(session)).out).to.have.length(1_000_000);
    });

    it("ends with its session, and everything that it started", async () => {
      const session = await execute(["sh", "-c", "sleep 999 & sleep 998"]);
      await eventually(async () => (await commandLines()).some((line) => line.includes("sleep 998")));
      await session[Symbol.asyncDispose]();
      expect((await commandLines()).filter((line) => /sleep (998|999)/.test(line))).to.deep.equal([]);
      expect((await readdir(container.bundlePath)).filter((name) => name.startsWith("exec-"))).to.deep.equal([]);
    });

    it("gets signals, and shows a death by one", async () => {
      await using session = await execute(["sleep", "997"]);
      expect(session.signal(9)).to.equal(true);
      expect(await session.exitCode).to.equal(137);
      expect(session.signal(9)).to.equal(false);
    });

    it("says which program is missing or not executable, and which directory", async () => {
      expect(await rejection(execute(["nosuch"]))).to.include({ reason: "COMMAND_NOT_FOUND" });
      expect(await rejection(execute(["/bin/plain"]))).to.include({ reason: "COMMAND_NOT_EXECUTABLE" });
      expect(await rejection(execute(["true"], { workingDir: "/no/such" }))).to.include({ reason: "CWD_UNUSABLE" });
    });

    it("has a terminal of its own: its size, never another one, what is typed, one stream, the exit code", async () => {
      // crun sets the size while the process starts already: on a loaded machine it comes a moment after the first byte
      const script = "until stty size 2>/dev/null; do :; done; tty >&2; read line; echo got $line; exit 7";
      await using session = await execute(["sh", "-c", script], {
        tty: true,
        stdin: true,
        size: { rows: 33, columns: 99 },
      });
      let out = "";
      for await (const { data } of execOutput(session)) {
        out += data.toString("latin1");
        if (/pts\S+\r\n$/.test(out)) void session.stdin?.write(Buffer.from("typed\n"), signal("type"));
      }
      expect(out).to.match(/^33 99\r\n\/dev\/pts\/\d+\r\ntyped\r\ngot typed\r\n$/);
      expect(await session.exitCode).to.equal(7);
    });

    it("is told when its terminal's size changes", async () => {
      await using session = await execute(
        ["sh", "-c", "trap 'stty size; exit' WINCH; echo up; while :; do sleep 0.1; done"],
        {
          tty: true,
        },
      );
      let text = "";
      for await (const { data } of execOutput(session)) {
        text += data.toString("latin1");
        if (text === "up\r\n") expect(await resizeTerminalOf(session.pid, { rows: 50, columns: 120 })).to.equal(true);
      }
      expect(text).to.equal("up\r\n50 120\r\n");
    });

    it("loses and changes nothing of what comes fast out of a terminal and is read slowly", async () => {
      await using session = await execute(["sh", "-c", "seq 200000"], { tty: true });
      let text = "";
      for await (const { data } of execOutput(session)) {
        text += data.toString("latin1");
        if (text.length < 100_000) await delay(2);
      }
      const sent = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\r\n`).join("");
      expect([text.length, text === sent]).to.deep.equal([sent.length, true]);
    });

    it("ends with its session also on a terminal; what is refused there is told as well", async () => {
      const session = await execute(["sh", "-c", "sleep 994 & sleep 993"], { tty: true, stdin: true });
      await eventually(async () => (await commandLines()).some((line) => line.includes("sleep 993")));
      await session[Symbol.asyncDispose]();
      expect((await commandLines()).filter((line) => /sleep (993|994)/.test(line))).to.deep.equal([]);
      expect(await rejection(execute(["nosuch"], { tty: true }))).to.include({ reason: "COMMAND_NOT_FOUND" });
    });

    it("leaves no descriptor, file or zombie behind, fifty times over", async () => {
      const before = (await readdir("/proc/self/fd")).length;
      for (let round = 0; round < 50; round++) {
        await using session = await execute(["true"], { tty: round % 2 === 1 });
        expect((await whole(session)).exitCode).to.equal(0);
      }
      expect((await readdir("/proc/self/fd")).length).to.be.at.most(before + 1);
      expect(await ownZombies()).to.deep.equal([]);
    });
  });
}

async function whole(session: ExecSession) {
  const read = { stdout: "", stderr: "" };
  for await (const { stream, data } of execOutput(session)) read[stream] += data.toString("latin1");
  return { out: read.stdout, err: read.stderr, exitCode: await session.exitCode };
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids.map((pid) =>
      readFile(`/proc/${pid}/cmdline`, "utf8")
        .catch(() => "")
        .then((line) => line.replaceAll("\0", " ")),
    ),
  );
}

async function ownZombies(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")));
  return stats.filter((stat) => stat.includes(`) Z ${process.pid} `));
}
