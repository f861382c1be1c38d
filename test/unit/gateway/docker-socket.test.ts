import { readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { linkDockerSocket } from "../../../gateway/docker-socket.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

describe("a link for Docker's clients", () => {
  it("leads to the socket and goes with it, also one that a crash left behind", async () => {
    await using directory = await temporaryDirectory();
    const [path, socket] = [join(directory.path, "docker.sock"), join(directory.path, "ctl.sock")];
    await writeFile(socket, "");
    await linkDockerSocket(path, socket); // never disposed: a crash
    await using again = await linkDockerSocket(path, socket);
    expect(await readlink(path)).to.equal(socket);
    await again[Symbol.asyncDispose]();
    expect(await rejection(readlink(path))).to.include({ code: "ENOENT" });
  });

  it("replaces a link that leads nowhere, and nothing that is somebody else's", async () => {
    await using directory = await temporaryDirectory();
    const [path, socket] = [join(directory.path, "docker.sock"), join(directory.path, "ctl.sock")];
    await symlink(join(directory.path, "gone"), path);
    await using _link = await linkDockerSocket(path, socket);
    expect(await readlink(path)).to.equal(socket);
    const theirs = join(directory.path, "theirs.sock");
    await writeFile(theirs, "");
    const error = await rejection(linkDockerSocket(theirs, socket));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "DOCKER_SOCKET_TAKEN" });
    const nowhere = await rejection(linkDockerSocket(join(directory.path, "no/docker.sock"), socket));
    expect(nowhere).to.include({ reason: "DOCKER_SOCKET_REFUSED" });
  });
});
