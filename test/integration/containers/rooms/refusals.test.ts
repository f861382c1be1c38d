import { readdir } from "node:fs/promises";
import { expect } from "chai";
import type { ContainerMount } from "../../../../services/containers/spec/spec.ts";
import { rejection } from "../../../lab/rejection.ts";
import { CRUN, openRooms, type Rooms, RUNC, type StartWish, startContainer } from "./rooms.ts";

interface Refusal {
  readonly of: string;
  readonly command: readonly string[];
  readonly wish: StartWish;
  readonly reason: string;
}

const bind = (source: string, target: string): ContainerMount => ({
  ...{ kind: "bind", source, target, isReadOnly: false, propagation: "rprivate" },
});

const REFUSALS: readonly Refusal[] = [
  { of: "a program that is not in PATH", command: ["nosuch"], wish: {}, reason: "COMMAND_NOT_FOUND" },
  { of: "a program whose path leads nowhere", command: ["/no/such"], wish: {}, reason: "COMMAND_NOT_FOUND" },
  { of: "a file that is not executable", command: ["/bin/plain"], wish: {}, reason: "COMMAND_NOT_EXECUTABLE" },
  { of: "a directory as the program", command: ["/etc"], wish: {}, reason: "COMMAND_NOT_EXECUTABLE" },
  {
    of: "a file as the working directory",
    command: ["true"],
    wish: { spec: { workingDir: "/etc/passwd" } },
    reason: "CWD_UNUSABLE",
  },
  {
    of: "a bind whose source is missing",
    command: ["true"],
    wish: { mounts: [bind("/no/such", "/x")] },
    reason: "MOUNT_SOURCE_MISSING",
  },
  {
    of: "a file bound on a directory",
    command: ["true"],
    wish: { mounts: [bind("/etc/passwd", "/tmp")] },
    reason: "MOUNT_REFUSED",
  },
  {
    of: "a sysctl that the kernel lacks",
    command: ["true"],
    wish: { spec: { sysctls: { "net.ipv4.no_such": "1" } } },
    reason: "SYSCTL_REFUSED",
  },
  {
    of: "a user whom the image lacks",
    command: ["true"],
    wish: { spec: { user: "nobody-here" } },
    reason: "USER_UNKNOWN",
  },
];

for (const candidate of [CRUN, RUNC]) {
  describe(`a container that ${candidate.kind} cannot start`, () => {
    let rooms: Rooms;
    before(async () => {
      rooms = await openRooms(candidate);
    });
    after(() => rooms[Symbol.asyncDispose]());

    for (const { of, command, wish, reason } of REFUSALS) {
      it(`is refused for ${of}, by name and with nothing left`, async () => {
        const error = await rejection(startContainer(rooms, command, wish));
        expect(error).to.include({ reason });
        expect((await readdir(rooms.stateRoot)).filter((name) => name !== ".cache")).to.deep.equal([]);
        expect(await readdir(rooms.containers)).to.deep.equal([]);
      });
    }
  });
}
