import { execFileSync } from "node:child_process";
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { directory, file, tar } from "../../lab/tar.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { sharedEngine } from "../engine.ts";

describe("ctl cp", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  /** A container in one of the states, with some files, a volume, a bind and a tmpfs. */
  async function container(state: "running" | "paused" | "exited", bind: string): Promise<void> {
    const mounts = ["-v", "data:/data", "-v", `${bind}:/bound`, "--tmpfs", "/scratch", "-v", `${bind}:/ro:ro`];
    const script =
      "mkdir -p /box/sub; echo one >/box/a; echo two >/box/sub/b; ln -s a /box/link; ln /box/a /box/hard; " +
      "echo vol >/data/v; echo tmp >/scratch/t; chmod 4711 /box/a; chown 12:34 /box/sub/b; touch /ready; " +
      (state === "exited" ? "true" : "sleep 1000");
    await engine.ok("run", "-d", "--name", "box", ...mounts, "busybox", "sh", "-c", script);
    if (state === "exited") await engine.ok("wait", "box");
    else await eventually(async () => (await engine.ctl("exec", "box", "ls", "/ready")).exitCode === 0, 10_000);
    if (state === "paused") await engine.ok("pause", "box");
  }

  for (const state of ["running", "paused", "exited"] as const) {
    it(`copies both ways where a container is ${state}: its own files, its volume, its bind`, async () => {
      await using host = await temporaryDirectory();
      await writeFile(join(host.path, "given"), "from outside\n", { mode: 0o640 });
      await container(state, host.path);
      const out = join(host.path, "out");
      expect((await engine.ctl("cp", "box:/box", out)).stderr).to.match(
        new RegExp(`^Successfully copied [0-9.]+kB to ${out}\n$`),
      );
      expect((await readdir(out)).sort()).to.deep.equal(["a", "hard", "link", "sub"]);
      expect(await readFile(join(out, "sub/b"), "utf8")).to.equal("two\n");
      const [a, hard, link] = await Promise.all(["a", "hard", "link"].map((name) => lstat(join(out, name))));
      expect([a?.mode, a?.ino === hard?.ino, link?.isSymbolicLink()]).to.deep.equal([0o104711, true, true]);
      await engine.ok("cp", "-q", "box:/data/v", join(host.path, "v"));
      expect(await readFile(join(host.path, "v"), "utf8")).to.equal("vol\n");

      await engine.ok("cp", join(host.path, "given"), "box:/data/");
      await engine.ok("cp", join(host.path, "given"), "box:/box/renamed");
      await engine.ok("cp", join(host.path, "given"), "box:/bound/back");
      expect(await readFile(join(host.path, "back"), "utf8")).to.equal("from outside\n");
      const refusal = await engine.fails(1, "cp", join(host.path, "given"), "box:/ro/x");
      expect(refusal).to.contain("mounted volume is marked read-only");
      if (state === "paused") await engine.ok("unpause", "box");
      if (state === "exited") await engine.ok("start", "box");
      const seen = "cat /data/given /box/renamed; stat -c %a /data/given";
      expect(await engine.ok("exec", "box", "sh", "-c", seen).catch(() => "")).to.satisfy(
        (text: string) => state === "exited" || text === "from outside\nfrom outside\n640",
      );
      expect(await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "cat", "/d/given")).to.equal("from outside");
    });
  }

  it("reaches the volumes and binds of a container before its first start, and what the image has in them stays", async () => {
    await using host = await temporaryDirectory();
    await writeFile(join(host.path, "given"), "from outside\n");
    const seeded = [tar(directory("seeded/"), file("seeded/own", "own\n"))];
    const image = await engine.push("library/seeded", seeded, { Volumes: { "/seeded": {} } });
    const mounts = ["-v", "data:/data", "-v", `${host.path}:/bound`, "-v", `${host.path}:/ro:ro`];
    const script = "cat /data/given /seeded/own /seeded/given";
    await engine.ok("create", "--pull", "missing", "--name", "box", ...mounts, image, "sh", "-c", script);
    expect(await engine.ok("volume", "ls", "-q")).to.match(/^data$/m);
    await engine.ok("cp", join(host.path, "given"), "box:/data/given");
    await engine.ok("cp", join(host.path, "given"), "box:/seeded/");
    await engine.ok("cp", join(host.path, "given"), "box:/bound/back");
    expect(await readFile(join(host.path, "back"), "utf8")).to.equal("from outside\n");
    expect(await engine.fails(1, "cp", join(host.path, "given"), "box:/ro/x")).to.contain("marked read-only");
    await engine.ok("cp", "box:/seeded/own", join(host.path, "own"));
    expect(await readFile(join(host.path, "own"), "utf8")).to.equal("own\n");
    expect(await engine.ok("start", "-a", "box")).to.equal("from outside\nown\nfrom outside");
    await engine.ok("rm", "-v", "box");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("data");
    await engine.ok("rmi", image);
  });

  it("leaves no volume of a container that could not be created", async () => {
    await engine.ok("create", "--name", "box", "busybox", "true");
    await engine.fails(1, "create", "--name", "box", "-v", "fresh:/fresh", "busybox", "true");
    const missing = ["--mount", "type=bind,source=/nope/nope,target=/b"];
    await engine.fails(1, "create", "--name", "other", "-v", "fresh:/a", ...missing, "busybox");
    expect(await engine.ok("volume", "ls", "-q")).to.equal("");
  });

  it("sees a running container's tmpfs, and a stopped one's root through a tar on standard input and output", async () => {
    await using host = await temporaryDirectory();
    await container("running", host.path);
    await engine.ok("cp", "box:/scratch/t", join(host.path, "t"));
    expect(await readFile(join(host.path, "t"), "utf8")).to.equal("tmp\n");
    await engine.ok("kill", "box");
    const [ctl, ...args] = commandLine(["cp", "box:/box/.", "-"]);
    const names = execFileSync("sh", ["-c", '"$@" | tar -tf -', "sh", ctl ?? "", ...args], {
      env: engine.daemon.ctlCommand([]).env,
    });
    expect(names.toString().split("\n").sort().slice(1)).to.deep.equal([
      "./",
      "./a",
      "./hard",
      "./link",
      "./sub/",
      "./sub/b",
    ]);
    execFileSync(
      "sh",
      ["-c", `tar -C ${host.path} -cf - t | "$@"`, "sh", ...commandLine(["cp", "-", "box:/box/sub"])],
      {
        env: engine.daemon.ctlCommand([]).env,
        stdio: "pipe",
      },
    );
    await engine.ok("cp", "box:/box/sub/t", join(host.path, "t2"));
    expect(await readFile(join(host.path, "t2"), "utf8")).to.equal("tmp\n");
  });

  function commandLine(args: readonly string[]): string[] {
    const { program, args: all } = engine.daemon.ctlCommand(args);
    return [program, ...all];
  }

  it("never leaves the container's root, whatever its symlinks say and however fast they change", async () => {
    await using host = await temporaryDirectory();
    await mkdir(join(host.path, "secret"));
    await writeFile(join(host.path, "secret/key"), "host's own\n");
    const script =
      `ln -s ${host.path}/secret /abs; ln -s ../../../../../..${host.path}/secret /up; mkdir -p /flip/d; touch /ready; ` +
      `while :; do mv /flip/d /flip/x; ln -s ${host.path} /flip/d; rm /flip/d; mv /flip/x /flip/d; done`;
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", script);
    await eventually(async () => (await engine.ctl("exec", "box", "ls", "/ready")).exitCode === 0, 10_000);
    for (const path of ["/abs/key", "/up/key", "/proc/1/root/etc/shadow", "/proc/self/cwd"]) {
      expect(await engine.fails(1, "cp", `box:${path}`, join(host.path, "got"))).to.match(/no such file|symbolic link/);
    }
    await writeFile(join(host.path, "file"), "mine\n");
    for (let round = 0; round < 8; round++) {
      await engine.ctl("cp", join(host.path, "file"), "box:/flip/d/planted");
      await engine.ctl("cp", join(host.path, "secret"), "box:/flip/d/planted-too");
    }
    await engine.ctl("cp", join(host.path, "file"), "box:/abs/key");
    expect((await readdir(host.path)).sort()).to.deep.equal(["file", "secret"]);
    expect(await readFile(join(host.path, "secret/key"), "utf8")).to.equal("host's own\n");
  });

  it("follows Docker's rules for what exists and what does not, on both sides", async () => {
    await using host = await temporaryDirectory();
    await container("running", host.path);
    const at = (name: string) => join(host.path, name);
    await mkdir(at("dir/in"), { recursive: true });
    await writeFile(at("dir/f"), "f\n");
    const inside = (path: string) => engine.ok("exec", "box", "sh", "-c", `cd ${path} && find . | sort | xargs`);
    await engine.ok("cp", at("dir"), "box:/box"); // into what is there, under its name
    expect(await inside("/box/dir")).to.equal(". ./f ./in");
    await engine.ok("cp", at("dir"), "box:/box/new"); // as what is not there
    expect(await inside("/box/new")).to.equal(". ./f ./in");
    await engine.ok("cp", `${at("dir")}/.`, "box:/box/sub"); // what is in it
    expect(await inside("/box/sub")).to.equal(". ./b ./f ./in");
    expect(await engine.fails(1, "cp", at("dir/f"), "box:/box/none/")).to.contain("no such directory");
    expect(await engine.fails(1, "cp", at("dir"), "box:/box/a")).to.contain("cannot copy directory");
    expect(await engine.fails(1, "cp", at("dir/f"), "box:/none/at/all")).to.contain("no such file or directory");
    await engine.ok("exec", "box", "mkdir", "-p", "/box/clash/f");
    const clash = await engine.fails(1, "cp", `${at("dir")}/.`, "box:/box/clash");
    expect(clash).to.contain('cannot overwrite directory "/box/clash/f" with non-directory');
    expect(await engine.fails(1, "cp", at("none"), "box:/")).to.contain("no such file or directory");
    expect(await engine.fails(1, "cp", "box:/none", at("x"))).to.contain("no such file or directory");
    expect(await engine.fails(1, "cp", "box:/box", at("dir/f"))).to.contain("cannot copy directory");
    expect(await engine.fails(1, "cp", "box:/box/a", at("gone/x"))).to.contain("does not exist");
    expect(await engine.fails(1, "cp", "box:/a", "box:/b")).to.contain("copying between containers is not supported");
    expect(await engine.fails(1, "cp", "/a", "/b")).to.contain("must specify at least one container source");
    expect(await engine.fails(1, "cp", "nobody:/a", at("x"))).to.contain("there is no such container");
    await engine.ok("cp", "-L", "box:/box/link", at("followed"));
    await engine.ok("cp", "box:/box/link", at("kept"));
    expect([(await lstat(at("followed"))).isFile(), (await lstat(at("kept"))).isSymbolicLink()]).to.deep.equal([
      true,
      true,
    ]);
    await symlink("dir/f", at("pointer"));
    await engine.ok("cp", "-L", at("pointer"), "box:/box/pointed");
    expect(await engine.ok("exec", "box", "cat", "/box/pointed")).to.equal("f");
    expect((await engine.ctl("cp", at("dir/f"), "box:/box/size")).stderr).to.equal(
      "Successfully copied 2.05kB to box:/box/size\n",
    );
  });

  it("keeps holes, and leaves nothing mounted when the service dies in the middle of a copy", async () => {
    await using host = await temporaryDirectory();
    await engine.ok("run", "--name", "box", "busybox", "sh", "-c", "truncate -s 300M /big; echo end >>/big");
    await engine.ok("cp", "box:/big", join(host.path, "big"));
    const { size, blocks } = await lstat(join(host.path, "big"));
    expect([size, blocks < 10_000]).to.deep.equal([(300 << 20) + 4, true]);
    await engine.ok("cp", join(host.path, "big"), "box:/again");
    await eventually(async () => (await copiesUnderWay()) === 0, 5_000);
    await using copying = engine.start("cp", "-", "box:/");
    copying.write("x".repeat(100)); // the archive never comes
    await eventually(async () => (await copiesUnderWay()) === 1, 5_000);
    await engine.daemon.kill("containers");
    await engine.daemon.ready();
    copying.closeStdin();
    expect(await copying.exitCode()).to.equal(1);
    const mounts = await readFile("/proc/self/mountinfo", "utf8");
    const id = await engine.ok("ps", "-aq", "--no-trunc");
    expect(mounts.split("\n").filter((line) => line.includes(id))).to.deep.equal([]);
    await engine.ok("start", "box");
  });

  async function copiesUnderWay(): Promise<number> {
    const tasks = `/proc/${await engine.daemon.pidOf("containers")}/task`;
    const names = (await readdir(tasks)).map((task) => readFile(`${tasks}/${task}/comm`, "utf8").catch(() => ""));
    return (await Promise.all(names)).filter((name) => name === "ctl-archive\n").length;
  }
});
