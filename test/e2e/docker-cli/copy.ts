import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { DockerCommand } from "./docker-command.ts";

/** The docker command takes files into ctl's containers and out of them. */
export function copiesWithCtl({ engine, ok, fails, startShell }: DockerCommand): void {
  it("copies both ways, shows what changed, exports", async () => {
    const host = join(engine.daemon.directory, "copies");
    await rm(host, { recursive: true, force: true });
    await mkdir(host);
    await writeFile(join(host, "given"), "from outside\n", { mode: 0o640 });
    await ok("run", "-d", "--name", "one", "busybox", "sh", "-c", "mkdir /box; ln -s /bin /box/link; exec sleep 600");
    await ok("cp", join(host, "given"), "one:/box/renamed");
    await ok("cp", join(host, "given"), "one:/box");
    expect(await ok("exec", "one", "stat", "-c", "%a", "/box/renamed", "/box/given")).to.equal("640\n640");
    await ok("cp", "one:/box", join(host, "out"));
    expect((await readdir(join(host, "out"))).sort()).to.deep.equal(["given", "link", "renamed"]);
    expect(await readFile(join(host, "out/renamed"), "utf8")).to.equal("from outside\n");
    expect(await readlink(join(host, "out/link"))).to.equal("/bin");

    await using piped = startShell('"$DOCKER" cp one:/box/given - | "$DOCKER" cp - one:/tmp');
    expect(await piped.exitCode()).to.equal(0);
    expect(await ok("exec", "one", "cat", "/tmp/given")).to.equal("from outside");
    expect(await ok("diff", "one"))
      .to.match(/^A \/box$/m)
      .and.match(/^A \/tmp\/given$/m);

    await ok("export", "-o", join(host, "root.tar"), "one");
    const names = execFileSync("tar", ["-tf", join(host, "root.tar")], { encoding: "utf8" });
    expect(names)
      .to.match(/^(\.\/)?box\/given$/m)
      .and.match(/^(\.\/)?bin\/busybox$/m);

    expect(await fails(1, "cp", "one:/nope", host)).to.match(
      /Could not find the file \/nope in container one|No such container:path: one:\/nope/,
    );
    expect(await fails(1, "cp", host, "one:/box/given")).to.match(/cannot copy directory|extraction point/);
    expect(await fails(1, "diff", "nope")).to.include("No such container: nope");
  });
}
