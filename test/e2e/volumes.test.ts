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
