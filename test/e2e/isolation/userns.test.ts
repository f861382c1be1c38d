import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { eventually } from "../../lab/eventually.ts";
import { file, tar } from "../../lab/tar.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { sharedEngine } from "../engine.ts";

/** What the lab's user has in /etc/subuid and /etc/subgid: not the same numbers, so that a mix-up shows. */
const UIDS = { first: 300_000, size: 65_536 };
const GIDS = { first: 500_000, size: 65_536 };
const USER = "ctl-remap-lab";
const UNMAPPED = 65_534;

async function giveSubordinateIds(): Promise<void> {
  const users = await readFile("/etc/passwd", "utf8");
  if (!users.includes(`${USER}:`))
    await runCommand("useradd", ["--system", USER], { signal: deadline(20_000, "useradd") });
  await writeFile("/etc/subuid", `${USER}:${UIDS.first}:${UIDS.size}\n`);
  await writeFile("/etc/subgid", `${USER}:${GIDS.first}:${GIDS.size}\n`);
}

async function owner(path: string): Promise<[number, number]> {
  const { uid, gid } = await stat(path);
  return [uid, gid];
}

describe("user namespaces (userns-remap)", () => {
  const engine = sharedEngine({ images: ["busybox"], config: { "userns-remap": USER }, before: giveSubordinateIds });

  afterEach(async () => {
    const pushed = (await engine.ok("images", "--format", "{{.Repository}}")).split("\n");
    for (const image of pushed.filter((name) => name.includes("/lab/"))) await engine.ok("rmi", "-f", image);
  });

  it("give a container's root an id of the host that is nobody's, shown in info", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
    expect(await engine.ok("exec", "box", "sh", "-c", "id -u; cat /proc/self/uid_map /proc/self/gid_map")).to.match(
      /^0\n\s+0\s+300000\s+65536\n\s+0\s+500000\s+65536$/,
    );
    const pid = Number(await engine.inspect("box", "State.Pid"));
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    expect(status)
      .to.match(/^Uid:\t300000\t300000\t300000\t300000$/m)
      .and.match(/^Gid:\t500000\t/m);
    expect(await engine.ok("info")).to.contain("name=userns");
  });

  it("show the image's files as its owners, and keep what is written as the host's ids on the disk", async () => {
    const layer = tar(file("owned", "by 33:44\n", { uid: 33, gid: 44 }), file("roots", "x", { uid: 0, gid: 0 }));
    const image = await engine.push("lab/owners", [layer]);
    await engine.ok("pull", "-q", image);
    await engine.ok("run", "-d", "--name", "box", image, "sleep", "600");
    const look =
      "stat -c '%u:%g %n' / /owned /roots /etc/hosts; echo new > /new; chown 5:6 /owned; stat -c '%u:%g %n' /owned";
    expect(await engine.ok("exec", "box", "sh", "-c", look)).to.equal(
      "0:0 /\n33:44 /owned\n0:0 /roots\n0:0 /etc/hosts\n5:6 /owned",
    );
    const upper = join(engine.daemon.root, "containers", String(await engine.inspect("box", "Id")), "upper");
    expect(await owner(join(upper, "new"))).to.deep.equal([UIDS.first, GIDS.first]);
    expect(await owner(join(upper, "owned"))).to.deep.equal([UIDS.first + 5, GIDS.first + 6]);
    expect(await engine.ok("run", "--rm", image, "stat", "-c", "%u:%g", "/owned")).to.equal("33:44");
    expect(await engine.ok("run", "--rm", "--userns", "host", image, "stat", "-c", "%u:%g", "/owned")).to.equal(
      "33:44",
    );
  });

  it("keep root inside from what is the host's: its files, its kernel settings, its devices", async () => {
    await using host = await temporaryDirectory();
    const secret = join(host.path, "secret");
    await writeFile(secret, "host's own\n", { mode: 0o600 });
    const mount = ["-v", `${host.path}:/host`];
    const inside = (...command: string[]) => engine.ctl("run", "--rm", ...mount, "busybox", ...command);
    expect((await inside("cat", "/host/secret")).exitCode).to.equal(1);
    expect((await inside("stat", "-c", "%u:%g", "/host/secret")).stdout).to.equal(`${UNMAPPED}:${UNMAPPED}\n`);
    expect((await inside("sh", "-c", "echo 1 > /proc/sys/kernel/panic")).exitCode).to.equal(1);
    expect((await inside("mknod", "/null", "c", "1", "3")).exitCode).to.equal(1);
    const hostMode = await engine.ok("run", "--rm", "--userns=host", ...mount, "busybox", "cat", "/host/secret");
    expect(hostMode).to.equal("host's own");
  });

  it("own the container's network: its sysctls, low ports, ping; /proc, /sys and /dev are as always", async () => {
    const sysctl = ["--sysctl", "net.ipv4.conf.all.forwarding=1"];
    const look =
      "cat /proc/sys/net/ipv4/conf/all/forwarding; ping -c 1 -w 5 127.0.0.1 >/dev/null && echo pings; " +
      "ls /sys/class/net | tr '\\n' ' '; echo x > /dev/null && test -c /dev/zero && echo devices; echo y > /dev/shm/y && cat /dev/shm/y";
    expect(await engine.ok("run", "--rm", ...sysctl, "busybox", "sh", "-c", look)).to.equal(
      "1\npings\neth0 lo devices\ny",
    );
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "busybox", "httpd", "-f", "-p", "80", "-h", "/etc");
    await eventually(async () => (await fetch("http://127.0.0.1:8080/passwd")).ok, 10_000);
  });

  it("hold for volumes: they belong to the container's root, and get the image's files with their owners", async () => {
    const image = await engine.push("lab/data", [tar(file("data/theirs", "x", { uid: 7, gid: 8 }))]);
    await engine.ok("pull", "-q", image);
    const look = "echo x > /data/new && echo x > /empty/new && stat -c '%u:%g' /data/theirs /data/new /empty/new";
    const mounts = ["-v", "filled:/data", "-v", "empty:/empty"];
    expect(await engine.ok("run", "--rm", ...mounts, image, "sh", "-c", look)).to.equal("7:8\n0:0\n0:0");
    const mountpoint = await engine.ok("volume", "inspect", "--format", "{{.Mountpoint}}", "filled");
    expect(await owner(join(mountpoint, "theirs"))).to.deep.equal([UIDS.first + 7, GIDS.first + 8]);
    expect(await owner(join(mountpoint, "new"))).to.deep.equal([UIDS.first, GIDS.first]);
    await using host = await temporaryDirectory();
    await engine.ok("run", "--rm", "-v", `${host.path}/made:/made`, "busybox", "touch", "/made/by-root");
    expect(await owner(join(host.path, "made/by-root"))).to.deep.equal([UIDS.first, GIDS.first]);
  });

  for (const state of ["running", "stopped", "created"] as const) {
    it(`hold for cp, export and diff of one that is ${state}: archives have the ids inside`, async () => {
      await using host = await temporaryDirectory();
      await writeFile(join(host.path, "given"), "given\n");
      await engine.ok("create", "--name", "box", "-v", "data:/data", "busybox", "sleep", "600");
      if (state !== "created") await engine.ok("start", "box");
      if (state === "stopped") await engine.ok("stop", "-t", "0", "box");
      await engine.ok("cp", join(host.path, "given"), "box:/root/given");
      const upper = join(engine.daemon.root, "containers", String(await engine.inspect("box", "Id")), "upper");
      expect(await owner(join(upper, "root/given"))).to.deep.equal([UIDS.first, GIDS.first]);
      await engine.ok("export", "-o", join(host.path, "root.tar"), "box");
      const list = ["--numeric-owner", "-tvf", join(host.path, "root.tar")];
      const { stdout } = await runCommand("tar", list, { signal: deadline(20_000, "tar -t") });
      expect(stdout)
        .to.match(/ 0\/0 .* \.?\/?root\/given/)
        .and.match(/ 0\/0 .* \.?\/?bin\/busybox/);
      expect(stdout).to.not.match(/ (65534|3\d{5})\//);
      expect(await engine.ok("diff", "box")).to.contain("A /root/given");
      if (state === "created") await engine.ok("start", "box");
      if (state === "stopped") await engine.ok("start", "box");
      expect(await engine.ok("exec", "box", "stat", "-c", "%u:%g", "/root/given", "/root", "/")).to.equal(
        "0:0\n0:0\n0:0",
      );
    });
  }

  it("refuse what a user namespace cannot have, and say --userns=host", async () => {
    for (const [words, ...flags] of [
      ["privileged mode is incompatible with user namespaces", "--privileged"],
      ["cannot share the host's network namespace", "--network", "host"],
      ["cannot share the host PID namespace", "--pid", "host"],
    ]) {
      expect(await engine.fails(125, "run", "--rm", ...flags, "busybox", "true"))
        .to.contain(words)
        .and.contain("--userns=host");
      expect(await engine.ok("run", "--rm", "--userns=host", ...flags, "busybox", "id", "-u")).to.equal("0");
    }
    await engine.ok("run", "-d", "--name", "other", "--ipc", "shareable", "busybox", "sleep", "600");
    expect(await engine.fails(125, "run", "--rm", "--ipc", "container:other", "busybox", "true")).to.contain(
      "user namespace",
    );
    expect(await engine.ok("run", "--rm", "--ipc", "host", "busybox", "echo", "well")).to.equal("well");
  });

  it("stay with a container through restart, kills of the services and its own crash", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "box",
      "--restart",
      "always",
      "busybox",
      "sh",
      "-c",
      "echo x >> /log; sleep 600",
    );
    await engine.ok("restart", "-t", "0", "box");
    for (const service of ["containers", "networks"] as const) await engine.daemon.kill(service);
    await eventually(async () => (await engine.ctl("exec", "box", "true")).exitCode === 0, 30_000);
    process.kill(Number(await engine.inspect("box", "State.Pid")), "SIGKILL");
    await eventually(async () => (await engine.ctl("exec", "box", "cat", "/log")).stdout === "x\nx\nx\n", 30_000);
    const map = await engine.ok("exec", "box", "cat", "/proc/self/uid_map");
    expect(map).to.match(/^\s+0\s+300000\s+65536$/);
  });

  it("are as the daemon says when it starts: refused with the reason, and no other ones for a container's files", async function () {
    this.timeout(120_000);
    await engine.ok("create", "--name", "box", "busybox", "true");
    await engine.daemon.stop();
    const configFile = join(engine.daemon.directory, "ctl.yaml");
    const config = await readFile(configFile, "utf8");
    try {
      await writeFile(configFile, config.replace(USER, "ctl-nobody-there"));
      const refused = engine.daemon.start().catch(() => {}); // it looks for a daemon that serves: the next one
      const isSaid = async () => (await readFile(engine.daemon.log, "utf8")).includes("no user ctl-nobody-there");
      await eventually(isSaid, 30_000);
      await writeFile(configFile, config.replace(USER, "default"));
      await engine.daemon.start();
      await refused;
      expect(await engine.ok("run", "--rm", "busybox", "cat", "/proc/self/uid_map")).to.match(
        /^\s+0\s+365536\s+65536$/,
      );
      expect(await engine.fails(1, "start", "box")).to.match(/userns-remap.*\n.*create it anew/);
      await engine.daemon.stop();
    } finally {
      await writeFile(configFile, config);
      await engine.daemon.start();
    }
    await engine.ok("start", "box");
  });
});
