import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type ExecSession, startExec } from "../../../../services/containers/exec/exec.ts";
import { type ExecSpec, execProcess } from "../../../../services/containers/exec/exec-process.ts";
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
      session.stdin?.end(sent);
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

    it("leaves no descriptor, file or zombie behind, fifty times over", async () => {
      const before = (await readdir("/proc/self/fd")).length;
      for (let round = 0; round < 50; round++) {
        await using session = await execute(["true"]);
        expect(await session.exitCode).to.equal(0);
      }
      expect((await readdir("/proc/self/fd")).length).to.be.at.most(before + 1);
      expect(await ownZombies()).to.deep.equal([]);
    });
  });
}

async function whole(session: ExecSession) {
  const read = async (stream: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  };
  const [out, err, exitCode] = await Promise.all([read(session.stdout), read(session.stderr), session.exitCode]);
  return { out, err, exitCode };
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
