import { existsSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { sharedEngine } from "../engine.ts";

/** Docker's default set: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, … */
const DEFAULT_CAPABILITIES = "00000000a80425fb";

describe("a container is apart from its host", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("with Docker's capabilities and seccomp filter, more or fewer when asked", async () => {
    const status = async (...flags: string[]) => {
      const text = await engine.ok("run", "--rm", ...flags, "busybox", "cat", "/proc/self/status");
      const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(text)?.[1];
      return { cap: field("CapEff"), seccomp: field("Seccomp"), noNewPrivileges: field("NoNewPrivs") };
    };
    expect(await status()).to.deep.equal({ cap: DEFAULT_CAPABILITIES, seccomp: "2", noNewPrivileges: "0" });
    expect((await status("--cap-drop", "ALL")).cap).to.equal("0000000000000000");
    expect((await status("--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE")).cap).to.equal("0000000000000400");
    expect((await status("--cap-add", "SYS_ADMIN")).cap).to.equal("00000000a82425fb");
    expect((await status("--security-opt", "seccomp=unconfined")).seccomp).to.equal("0");
    expect((await status("--security-opt", "no-new-privileges")).noNewPrivileges).to.equal("1");
    expect((await status("-u", "65534")).cap).to.equal("0000000000000000");
  });

  it("with namespaces of its own", async () => {
    const kinds = ["ipc", "mnt", "net", "pid", "uts"];
    const script = kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join("; ");
    const inside = (await engine.ok("run", "--rm", "busybox", "sh", "-c", script)).split("\n");
    const outside = await Promise.all(kinds.map((kind) => readlink(`/proc/self/ns/${kind}`)));
    expect(inside).to.have.length(kinds.length);
    expect(inside.filter((name) => outside.includes(name))).to.deep.equal([]);
    expect((await engine.ok("run", "--rm", "busybox", "ps", "-o", "pid,args")).split("\n")).to.have.length(2);
  });

  it("with the kernel's delicate paths masked or read-only", async () => {
    const script = [
      "cat /proc/kcore | wc -c",
      "cat /proc/timer_list 2>/dev/null | wc -c",
      "ls -A /sys/firmware | wc -l",
      "(echo 1 >/proc/sys/kernel/domainname) 2>&1 | grep -o 'Read-only file system'",
      'for p in bus fs irq sysrq-trigger; do [ ! -e /proc/$p ] || grep -q " /proc/$p proc ro" /proc/mounts || echo $p; done; echo all',
      "grep -o ' /sys sysfs ro' /proc/mounts",
      "mount -t tmpfs tmpfs /mnt 2>&1 | grep -oi 'denied\\|not permitted'",
    ].join("; ");
    const lines = (await engine.ok("run", "--rm", "busybox", "sh", "-c", `mkdir -p /mnt; ${script}`)).split("\n");
    expect(lines.slice(0, 3)).to.deep.equal(["0", "0", "0"]);
    expect(lines.slice(3, 6)).to.deep.equal(["Read-only file system", "all", " /sys sysfs ro"]);
    expect(lines[6]).to.match(/denied|not permitted/);
  });

  it("with Docker's devices and no others", async () => {
    const devices = (await engine.ok("run", "--rm", "busybox", "ls", "/dev")).split("\n");
    expect(devices).to.include.members([
      "null",
      "zero",
      "full",
      "random",
      "urandom",
      "tty",
      "ptmx",
      "pts",
      "shm",
      "mqueue",
    ]);
    expect(devices.filter((name) => /^(sd|vd|nvme|kmsg|mem|loop)/.test(name))).to.deep.equal([]);
    const made = await engine.ctl("run", "--rm", "busybox", "sh", "-c", "mknod /tmp/vda b 254 0 && head -c 1 /tmp/vda");
    expect(made.stderr).to.match(/not permitted/);
  });

  it("with its own hosts, hostname and resolv.conf", async () => {
    const shown = await engine.ok(
      "run",
      "--rm",
      "-h",
      "box",
      "--add-host",
      "db:10.1.2.3",
      "busybox",
      "cat",
      "/etc/hosts",
    );
    expect(shown).to.match(/^127\.0\.0\.1\s+localhost/m);
    expect(shown).to.match(/^10\.1\.2\.3\s+db$/m);
    expect(shown).to.match(/^\d+\.\d+\.\d+\.\d+\s+box$/m);
    expect(await engine.ok("run", "--rm", "-h", "box", "busybox", "cat", "/etc/hostname")).to.equal("box");
    const dns = await engine.ok("run", "--rm", "--dns", "192.0.2.53", "busybox", "cat", "/etc/resolv.conf");
    // the sandbox's own resolver, which asks that one
    expect(dns).to.match(/^nameserver 127\.0\.0\.11$/m);
  });

  it("with a root that can be made read-only, and with its own files only", async () => {
    expect(await engine.fails(1, "run", "--rm", "--read-only", "busybox", "touch", "/x")).to.match(/[Rr]ead-only/);
    await engine.ok("run", "--name", "first", "busybox", "touch", "/made-by-a");
    expect(await engine.fails(1, "run", "--rm", "busybox", "ls", "/made-by-a")).to.match(/No such file/);
  });

  it("with the limits that were asked for, in the kernel's own words", async () => {
    const limits = ["-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cpu-shares", "512"];
    await engine.ok("run", "-d", "--name", "box", ...limits, "busybox", "sleep", "600");
    const pid = Number(await engine.inspect("box", "State.Pid"));
    if (existsSync("/sys/fs/cgroup/cgroup.controllers")) {
      expect(await cgroupFile(pid, "", "memory.max")).to.equal(`${64 << 20}`);
      expect(await cgroupFile(pid, "", "cpu.max")).to.equal("50000 100000");
      expect(await cgroupFile(pid, "", "pids.max")).to.equal("50");
    } else {
      expect(await cgroupFile(pid, "memory", "memory.limit_in_bytes")).to.equal(`${64 << 20}`);
      expect(await cgroupFile(pid, "cpu", "cpu.cfs_quota_us")).to.equal("50000");
      expect(await cgroupFile(pid, "cpu", "cpu.shares")).to.equal("512");
      expect(await cgroupFile(pid, "pids", "pids.max")).to.equal("50");
    }
    const forks = "i=0; while [ $i -lt 80 ]; do sleep 5 & i=$((i+1)); done; wait";
    expect((await engine.ctl("exec", "box", "sh", "-c", forks)).stderr).to.match(/fork/);
  });

  it("and is ended by the kernel when it takes more memory than it may, which is shown", async () => {
    await engine.fails(137, "run", "--name", "box", "-m", "16m", "busybox", "sh", "-c", "tail /dev/zero");
    await eventually(async () => (await engine.inspect("box", "State.OOMKilled")) === true);
  });

  it("with the open files that it may have, and those that were asked for", async () => {
    expect(
      await engine.ok("run", "--rm", "--ulimit", "nofile=100:200", "busybox", "sh", "-c", "ulimit -Sn; ulimit -Hn"),
    ).to.equal("100\n200");
  });

  it("refuses a limit that the kernel refuses, and leaves nothing", async () => {
    const message = await engine.fails(125, "run", "--name", "box", "--cpuset-cpus", "999", "busybox", "true");
    expect(message).to.match(/999|cpuset/);
    expect(await engine.fails(125, "run", "-m", "1k", "busybox", "true")).to.match(/memory/i);
    expect(await engine.ok("ps", "-aq", "--filter", "status=running")).to.equal("");
    expect(await engine.ok("run", "--rm", "busybox", "echo", "well")).to.equal("well");
  });
});

async function cgroupFile(pid: number, controller: string, name: string): Promise<string> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n");
  const line = lines.find((one) => (one.split(":")[1] ?? "").split(",").includes(controller)) ?? "";
  const path = line.slice(line.indexOf("/"));
  return (await readFile(`/sys/fs/cgroup/${controller}${path}/${name}`, "utf8")).trim();
}
