import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  detachedEnded,
  detachedExit,
  endLeftExec,
  forgetDetached,
  startDetachedExec,
} from "../../../../services/containers/exec/detached.ts";
import { startExec } from "../../../../services/containers/exec/exec.ts";
import { execProcess } from "../../../../services/containers/exec/exec-process.ts";
import { bindPidfds } from "../../../../services/kit/linux/pidfd.ts";
import { eventually } from "../../../lab/eventually.ts";
import { rejection } from "../../../lab/rejection.ts";
import { CRUN, openRooms, type Rooms, RUNC, type StartedContainer, signal, startContainer } from "./rooms.ts";

for (const candidate of [CRUN, RUNC]) {
  describe(`an exec for nobody with ${candidate.kind}`, () => {
    let rooms: Rooms;
    let container: StartedContainer;
    before(async () => {
      rooms = await openRooms(candidate);
      container = await startContainer(rooms, ["sleep", "1000"]);
    });
    after(async () => {
      await container[Symbol.asyncDispose]();
      await rooms[Symbol.asyncDispose]();
    });

    async function request(name: string, command: readonly string[]) {
      const spec = { command, env: [], workingDir: "", user: "", privileged: false, tty: false };
      const process = await execProcess(spec, container.config, rooms.facts);
      return { runtimeId: container.runtimeId, directory: join(container.bundlePath, name), process };
    }

    it("runs on without us, and its exit code is there for whoever asks", async () => {
      const wish = await request("exec-a", [
        "sh",
        "-c",
        "echo nowhere; read x; until test -e /go; do usleep 9999; done; exit 5",
      ]);
      const pid = await startDetachedExec(rooms, wish, undefined, signal("start"));
      expect(pid).to.be.greaterThan(0);
      expect(await detachedExit(wish.directory)).to.equal(undefined);
      const ended = detachedEnded(wish.directory, signal("end"));
      await startDetachedExec(rooms, await request("exec-b", ["touch", "/go"]), undefined, signal("start"));
      expect(await ended).to.equal(5);
      expect(await detachedEnded(join(container.bundlePath, "exec-b"), signal("end"))).to.equal(0);
      for (const name of ["exec-a", "exec-b"]) await forgetDetached(join(container.bundlePath, name));
      expect((await readdir(container.bundlePath)).filter((name) => name.startsWith("exec"))).to.deep.equal([]);
    });

    it("is refused by name when there is no such program, with nothing left", async () => {
      const wish = await request("exec-c", ["nosuch"]);
      expect(await rejection(startDetachedExec(rooms, wish, undefined, signal("start")))).to.include({
        reason: "COMMAND_NOT_FOUND",
      });
      expect(await stat(wish.directory).catch(() => undefined)).to.equal(undefined);
    });

    it("is ended from its files alone when the service that had started it is gone", async () => {
      const wish = { ...(await request("exec-d", ["sleep", "996"])), stdin: false };
      await using session = await startExec(rooms, wish, signal("start"));
      using handle = bindPidfds().open(session.pid);
      await endLeftExec(wish.directory, container.runtimeId, signal("end"));
      expect(await eventually(() => handle?.hasEnded() === true)).to.equal(true);
      expect(await session.exitCode).to.equal(137);
      await endLeftExec(wish.directory, container.runtimeId, signal("end"));
    });
  });
}
