import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { directory, file, tar } from "../lab/tar.ts";
import { temporaryDirectory } from "../lab/temporary-directory.ts";
import { sharedEngine } from "./engine.ts";

describe("volumes and mounts", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("a named volume is made on first use, outlives its containers, and goes when nobody refers to it", async () => {
    await engine.ok("run", "--name", "writer", "-v", "data:/data", "busybox", "sh", "-c", "echo kept >/data/file");
    expect(await engine.fails(1, "volume", "rm", "data")).to.match(/in use/);
    await engine.ok("rm", "writer");
    expect(await engine.ok("run", "--rm", "-v", "data:/elsewhere", "busybox", "cat", "/elsewhere/file")).to.equal(
      "kept",
    );
    expect(await engine.ok("volume", "ls", "-q")).to.equal("data");
    expect(await engine.ok("volume", "rm", "data")).to.equal("data");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("");
  });

  it("an empty volume gets what the image has there, with owners and modes; one that has content keeps it", async () => {
    const layer = tar(
      directory("srv"),
      directory("srv/data", { uid: 33, gid: 33, mode: 0o750 }),
      file("srv/data/file", "from the image\n", { uid: 33, gid: 33, mode: 0o640 }),
    );
    const reference = await engine.push("with/data", [layer]);
    const script = "stat -c '%u:%g %a' /srv/data /srv/data/file; cat /srv/data/file";
    const shown = "33:33 750\n33:33 640\nfrom the image";
    expect(await engine.ok("run", "--rm", "-q", "-v", "filled:/srv/data", reference, "sh", "-c", script)).to.equal(
      shown,
    );
    await engine.ok("run", "--rm", "-v", "filled:/srv/data", "busybox", "sh", "-c", "echo mine >/srv/data/file");
    expect(await engine.ok("run", "--rm", "-v", "filled:/srv/data", reference, "cat", "/srv/data/file")).to.equal(
      "mine",
    );
    const bare = ["run", "--rm", "--mount", "type=volume,source=bare,target=/srv/data,volume-nocopy", reference];
    expect(await engine.ok(...bare, "ls", "/srv/data")).to.equal("");
    await engine.ok("rmi", reference);
  });

  it("a VOLUME of the image is anonymous, and goes with --rm and with rm -v", async () => {
    const reference = await engine.push("with/volume", [tar(directory("data"))], { Volumes: { "/data": {} } });
    await engine.ok("run", "--rm", "-q", reference, "touch", "/data/x");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("");
    await engine.ok("run", "--name", "box", reference, "touch", "/data/x");
    expect(await engine.ok("volume", "ls", "-q")).to.match(/^[0-9a-f]{64}$/);
    await engine.ok("rm", "-v", "box");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("");
    await engine.ok("rmi", reference);
  });

  it("a directory of the host is bound, read-only if asked, and made where it is missing", async () => {
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "file"), "from the host\n");
    const bound = ["run", "--rm", "-v", `${host.path}:/mnt`, "busybox", "sh", "-c"];
    expect(await engine.ok(...bound, "cat /mnt/file; echo back >/mnt/answer")).to.equal("from the host");
    expect(await readFile(join(host.path, "answer"), "utf8")).to.equal("back\n");
    const readOnly = ["run", "--rm", "-v", `${host.path}:/mnt:ro`, "busybox", "touch", "/mnt/x"];
    expect(await engine.fails(1, ...readOnly)).to.match(/[Rr]ead-only/);
    await engine.ok("run", "--rm", "-v", `${host.path}/new/dir:/mnt`, "busybox", "touch", "/mnt/x");
    expect(await readdir(join(host.path, "new/dir"))).to.deep.equal(["x"]);
    const missing = ["run", "--rm", "--mount", `type=bind,src=${host.path}/none,dst=/mnt`, "busybox", "true"];
    expect(await engine.fails(125, ...missing)).to.contain(`${host.path}/none`);
  });

  it("a file of the host can be bound as well", async () => {
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "conf"), "value\n");
    expect(
      await engine.ok("run", "--rm", "-v", `${host.path}/conf:/etc/conf:ro`, "busybox", "cat", "/etc/conf"),
    ).to.equal("value");
  });

  it("a mount of the container is not seen by the host, nor by others", async () => {
    await using host = await temporaryDirectory();
    await mkdir(join(host.path, "sub"));
    const before = await readFile("/proc/self/mountinfo", "utf8");
    const script = "mount -t tmpfs tmpfs /mnt/sub && touch /mnt/sub/x && ls /mnt/sub";
    const run = ["run", "--rm", "--privileged", "-v", `${host.path}:/mnt`, "busybox", "sh", "-c", script];
    expect(await engine.ok(...run)).to.equal("x");
    expect(await readdir(join(host.path, "sub"))).to.deep.equal([]);
    expect((await readFile("/proc/self/mountinfo", "utf8")).includes(`${host.path}/sub`)).to.equal(
      before.includes(`${host.path}/sub`),
    );
  });

  it("a tmpfs has the size and mode that were asked for", async () => {
    const script = "df -k /scratch | tail -n 1 | awk '{ print $2 }'; stat -c %a /scratch; touch /scratch/x";
    const run = ["run", "--rm", "--tmpfs", "/scratch:size=8m,mode=1770", "busybox", "sh", "-c", script];
    expect(await engine.ok(...run)).to.equal("8192\n1770");
  });

  it("an empty volume gets the owner that is chosen at the mount; one that has content keeps its own, and it is said", async () => {
    const mounted = (owner: string) => ["run", "--rm", "-v", `owned:/data:${owner}`, "busybox", "sh", "-c"];
    expect(await engine.ok(...mounted("uid=1000,gid=1001"), "stat -c %u:%g /data; touch /data/file")).to.equal(
      "1000:1001",
    );
    const again = await engine.ctl(...mounted("uid=7"), "stat -c %u:%g /data /data/file");
    expect(again.stdout).to.equal("1000:1001\n0:0\n");
    expect(again.stderr).to.contain("volume owned belongs to 1000:1001 and not to 7:");
    const long = ["run", "--rm", "--mount", "type=volume,source=by-mount,target=/data,volume-uid=33", "busybox"];
    expect(await engine.ok(...long, "stat", "-c", "%u:%g", "/data")).to.equal("33:0");
  });

  it("inspection says what a volume weighs, which containers have it where, and who made it", async () => {
    await engine.ok(
      "run",
      "--name",
      "writer",
      "-v",
      "data:/data",
      "busybox",
      "dd",
      "if=/dev/zero",
      "of=/data/x",
      "count=9",
    );
    const id = await engine.inspect("writer", "Id");
    const [shown] = JSON.parse(await engine.ok("volume", "inspect", "data"));
    expect(shown.UsedBy).to.deep.equal([{ Container: id, Name: "writer", Destination: "/data" }]);
    expect(shown.CreatedBy).to.equal(`container:${id}`);
    expect(shown.UsageData.RefCount).to.equal(1);
    expect(shown.UsageData.Size).to.be.within(4608, 100_000);
    await engine.ok("volume", "create", "mine");
    expect(await engine.ok("volume", "inspect", "--format", "{{.CreatedBy}}", "mine")).to.equal("uid:0");
  });

  it("a -v that had to make a directory of the host says so", async () => {
    await using host = await temporaryDirectory();
    const path = join(host.path, "new");
    const made = await engine.ctl("run", "--rm", "-v", `${path}:/mnt`, "busybox", "true");
    expect(made.stderr).to.contain(`${path} did not exist on the host`);
    expect((await engine.ctl("run", "--rm", "-v", `${path}:/mnt`, "busybox", "true")).stderr).to.equal("");
  });

  it("prune takes anonymous volumes alone unless all are wanted, and says beforehand what it would take", async () => {
    const anonymous = await engine.ok("volume", "create");
    await engine.ok("volume", "create", "--label", "keep", "named");
    await engine.ok("run", "--name", "box", "-v", "used:/data", "busybox", "true");
    expect(await engine.ok("volume", "prune", "-a", "--dry-run"))
      .to.contain("named")
      .and.contain(anonymous);
    expect((await engine.ok("volume", "ls", "-q")).split("\n")).to.have.members([anonymous, "named", "used"]);
    expect(await engine.ok("volume", "prune", "-f"))
      .to.contain(anonymous)
      .and.not.contain("named");
    await engine.ok("volume", "prune", "-af", "--filter", "label!=keep");
    expect((await engine.ok("volume", "ls", "-q")).split("\n")).to.have.members(["named", "used"]);
    await engine.ok("volume", "prune", "-af");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("used");
  });

  it("a part of a volume can be mounted, read-only, and a part that is not there is refused", async () => {
    await engine.ok(
      "run",
      "--rm",
      "-v",
      "data:/data",
      "busybox",
      "sh",
      "-c",
      "mkdir -p /data/a/b && echo x >/data/a/b/file",
    );
    const part = (subpath: string) => `type=volume,source=data,target=/part,readonly,volume-subpath=${subpath}`;
    const run = (subpath: string, ...argv: string[]) => ["run", "--rm", "--mount", part(subpath), "busybox", ...argv];
    expect(await engine.ok(...run("a/b", "cat", "/part/file"))).to.equal("x");
    expect(await engine.fails(1, ...run("a/b", "touch", "/part/other"))).to.match(/[Rr]ead-only/);
    expect(await engine.fails(125, ...run("none", "true"))).to.contain("none");
    expect(await engine.fails(125, ...run("../x", "true"))).to.contain("relative path");
  });

  it("mount options of the local driver: a bind, a tmpfs, and an NFS server that is not there", async () => {
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "file"), "of the host\n");
    const bind = ["-o", "type=none", "-o", `device=${host.path}`];
    await engine.ok("volume", "create", ...bind, "-o", "o=bind,ro,noexec,nosuid", "bound");
    const flags = ["run", "--rm", "-v", "bound:/x", "busybox", "grep", "-o", " /x [a-z,]*", "/proc/self/mountinfo"];
    expect(await engine.ok(...flags)).to.equal(" /x ro,nosuid,noexec,relatime");
    expect(await engine.ok("run", "--rm", "-v", "bound:/x", "busybox", "cat", "/x/file")).to.equal("of the host");
    expect(await engine.fails(1, "run", "--rm", "-v", "bound:/x", "busybox", "touch", "/x/no")).to.match(
      /[Rr]ead-only/,
    );
    await engine.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1000", "memory");
    const script = "stat -c %u /x; df -k /x | tail -n 1 | awk '{ print $2 }'";
    expect(await engine.ok("run", "--rm", "-v", "memory:/x", "busybox", "sh", "-c", script)).to.equal("1000\n1024");
    await engine.ok(
      "volume",
      "create",
      "-o",
      "type=nfs",
      "-o",
      "device=:/export",
      "-o",
      "o=addr=127.0.0.1,port=1,soft,vers=4",
      "far",
    );
    const refused = await engine.fails(125, "run", "--rm", "-v", "far:/x", "busybox", "true");
    expect(refused).to.contain("mount :/export (nfs) for the volume");
    expect(await engine.fails(125, "volume", "create", "-o", "colour=red", "odd")).to.contain("colour=red");
  });

  it("volumes are created, listed, inspected, and taken once by a name", async () => {
    expect(await engine.ok("volume", "create", "--label", "a=b", "mine")).to.equal("mine");
    expect(await engine.ok("volume", "create", "mine")).to.equal("mine");
    const [shown] = JSON.parse(await engine.ok("volume", "inspect", "mine"));
    expect(shown).to.deep.include({ Name: "mine", Driver: "local", Labels: { a: "b" }, Scope: "local" });
    expect(await readdir(shown.Mountpoint)).to.deep.equal([]);
    expect(await engine.ok("volume", "ls", "--filter", "label=a", "--format", "{{.Name}} {{.Driver}}")).to.equal(
      "mine local",
    );
    expect(await engine.ok("volume", "create")).to.match(/^[0-9a-f]{64}$/);
    expect(await engine.fails(1, "volume", "inspect", "nothing")).to.match(/nothing/);
    expect(await engine.fails(1, "volume", "create", "not/allowed")).to.match(/not\/allowed/);
  });
});
