import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { sharedEngine } from "../engine.ts";
import { cgroupFile, look, seen } from "./inside.ts";

const execute = promisify(execFile);

describe("a container has what its flags say", () => {
  const config: Record<string, unknown> = {};
  let here = "";
  before(async () => {
    here = await mkdtemp("/var/tmp/flags-");
    await mkdir(join(here, "cdi"));
    await writeFile(join(here, "wrapped"), '#!/bin/sh\necho "$@" >>"$0.calls"\nexec runc "$@"\n', { mode: 0o755 });
    config["runtimes"] = { wrapped: { path: join(here, "wrapped") } };
    config["cdi-spec-dirs"] = [join(here, "cdi")];
  });
  // behind the above: its daemon is started with that configuration
  const engine = sharedEngine({ images: ["busybox"], config });
  const inside = async (flags: readonly string[], commands: Readonly<Record<string, string>>) =>
    seen(await engine.ok("run", "--rm", ...flags, "busybox", ...look(commands)));
  after(() => rm(here, { recursive: true, force: true }));

  it("as its process: user, groups, directory, environment, init, files of variables and labels", async () => {
    await writeFile(join(here, "env"), "\uFEFF# a comment\n  ONE=1 and more \nHOME_OF_NOBODY\n\nTWO=a=b\n");
    await writeFile(join(here, "labels"), "from=file\nboth=file\n");
    const flags = [
      ...["--env-file", join(here, "env"), "-e", "TWO=flag", "-u", "1000:1001", "--group-add", "12", "-w", "/tmp/made"],
      ...[
        "--init",
        "-h",
        "box",
        "--domainname",
        "lab.example",
        "--label-file",
        join(here, "labels"),
        "-l",
        "both=flag",
      ],
      ...[
        "--annotation",
        "k=v",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "3",
        "--oom-score-adj",
        "300",
        "--name",
        "box",
      ],
      ...["--ulimit", "nofile=77:88", "--ulimit", "core=0", "--cidfile", join(here, "cid")],
    ];
    await engine.ok("create", ...flags, "busybox", "sleep", "600");
    expect(await readFile(join(here, "cid"), "utf8")).to.match(/^[0-9a-f]{64}$/);
    await engine.ok("start", "box");
    const got = seen(
      await engine.ok(
        ...["exec", "box"],
        ...look({
          id: "id -u; id -g; id -G",
          pwd: "pwd",
          one: "echo $ONE",
          two: "echo $TWO",
          init: "cat /proc/1/cmdline | tr '\\0' ' '",
          host: "hostname",
          domain: "cat /proc/sys/kernel/domainname",
          oom: "cat /proc/1/oom_score_adj",
          files: "ulimit -Sn; ulimit -Hn",
        }),
      ),
    );
    expect(got["pwd"]).to.equal("/tmp/made");
    expect(got["id"]).to.equal("1000 1001 1001 12");
    expect(got["files"]).to.equal("77 88");
    expect(got).to.include({ one: "1 and more", two: "flag", host: "box", domain: "lab.example", oom: "300" });
    expect(got["init"]).to.equal("/sbin/docker-init -- sleep 600");
    expect(await engine.inspect("box", "Config.Labels")).to.include({ from: "file", both: "flag" });
    expect(await engine.inspect("box", "HostConfig.Annotations")).to.deep.equal({ k: "v" });
    expect(await engine.inspect("box", "Config.StopSignal")).to.equal("INT");
    const text = await engine.fails(125, "create", "--cidfile", join(here, "cid"), "busybox");
    expect(text).to.include("make sure the other container isn't running or delete it");
  });

  it("as limits, in the kernel's own files", async () => {
    const flags = [
      ...["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m", "--memory-swappiness", "7"],
      ...[
        "--cpu-shares",
        "512",
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "20000",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
      ],
      ...["--pids-limit", "50", "--device-read-bps", "/dev/loop0:1mb", "--device-write-iops", "/dev/loop0:9"],
      ...["--device-write-bps", "/dev/loop0:2mb", "--device-read-iops", "/dev/loop0:8"],
      ...["--cgroup-parent", "below"],
    ];
    const { stderr } = await engine.ctl("run", "-d", "--name", "box", ...flags, "busybox", "sleep", "600");
    const pid = Number(await engine.inspect("box", "State.Pid"));
    const file = (controller: string, name: string) => cgroupFile(pid, controller, name);
    expect(await file("pids", "pids.max")).to.equal("50");
    expect(await file("cpuset", "cpuset.cpus")).to.equal("0");
    if ((await file("memory", "memory.max")) === undefined) {
      expect(await file("memory", "memory.memsw.limit_in_bytes")).to.equal(`${96 << 20}`);
      expect(await file("memory", "memory.soft_limit_in_bytes")).to.equal(`${32 << 20}`);
      expect(await file("cpu", "cpu.cfs_quota_us")).to.equal("20000");
      const throttle = (await file("blkio", "blkio.throttle.read_bps_device")) ?? "7:0 1048576";
      expect(throttle).to.equal("7:0 1048576");
      expect((await file("memory", "memory.swappiness")) === "7" || stderr.includes("swappiness")).to.equal(true);
    } else {
      expect(await file("memory", "memory.swap.max")).to.equal(`${32 << 20}`);
      expect(await file("cpu", "cpu.max")).to.equal("20000 50000");
      expect(stderr).to.include("swappiness");
    }
    expect(await readFile(`/proc/${pid}/cgroup`, "utf8")).to.match(/\/below\/[0-9a-f]{64}$/m);
    await engine.ok("pause", "box");
    await engine.ok("unpause", "box");
    expect((await engine.ok("top", "box")).split("\n")).to.have.length(2);
    expect(await engine.inspect("box", "HostConfig.BlkioDeviceReadBps")).to.deep.equal([
      { Path: "/dev/loop0", Rate: 1 << 20 },
    ]);
    await engine.ok("rm", "-f", "box");
    for (const [flag, value, why] of [
      ["--blkio-weight", "5", "range of blkio weight is from 10 to 1000"],
      ["--memory-swappiness", "101", "valid memory swappiness range is 0-100"],
      ["--oom-score-adj", "1001", "range for oom score adj is [-1000, 1000]"],
      ["--device-read-bps", "/dev/nothing:1mb", "no such device"],
    ] as const) {
      expect(await engine.fails(125, "run", flag, value, "busybox")).to.include(why);
    }
  });

  it("as mounts: what is read-only is so all the way down, parts of volumes, others' volumes", async () => {
    await mkdir(join(here, "bind/below"), { recursive: true });
    await execute("mount", ["-t", "tmpfs", "tmpfs", join(here, "bind/below")]);
    await execute("mount", ["--make-shared", join(here, "bind/below")]);
    try {
      await engine.ok("volume", "create", "data");
      await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "mkdir -p /d/part; echo in >/d/part/file");
      await engine.ok(
        "create",
        "--name",
        "source",
        "-v",
        "/anon",
        "-v",
        `${here}/bind:/b`,
        "-v",
        "data:/d:ro",
        "busybox",
      );
      const bind = `type=bind,source=${here}/bind,readonly`;
      const got = await inside(
        [
          ...["-v", `${here}/bind:/ro:ro,z`, "--mount", `${bind},target=/writable,bind-recursive=writable`],
          ...["--mount", `${bind},target=/flat,bind-recursive=disabled`, "--volumes-from", "source:ro"],
          ...["--mount", "type=volume,source=data,target=/part,volume-subpath=part"],
          ...["--mount", "type=volume,source=data,target=/one,volume-subpath=part/file,readonly"],
          ...["--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1700", "--tmpfs", "/x:exec,size=64k"],
          ...[
            "--read-only",
            "--shm-size",
            "3m",
            "--mount",
            `type=bind,src=${here}/bind,dst=/sh,bind-propagation=rslave`,
          ],
        ],
        {
          below: "touch /ro/below/x && echo written || echo refused",
          writable: "touch /writable/below/x && echo written || echo refused",
          flat: "ls /flat/below",
          part: "ls /part; cat /one",
          from: "ls -d /anon /b /d; touch /b/x 2>&1 && echo written || echo refused",
          tmpfs: "stat -c %a /t; grep -c ' /x .*noexec' /proc/mounts; df -k /t /x /dev/shm | awk 'NR>1{print $2}'",
          root: "touch /y 2>&1 && echo written || echo refused",
          slave: "grep ' /sh/below ' /proc/self/mountinfo | grep -c master:",
        },
      );
      expect(got["below"]).to.equal("touch: /ro/below/x: Read-only file system refused");
      expect(got["writable"]).to.equal("written");
      expect(got["flat"]).to.equal("");
      const lines = await engine.ok("run", "--rm", "--volumes-from", "source", "busybox", "ls", "/d/part", "/anon");
      expect(lines).to.include("file");
      expect(got["root"]).to.match(/Read-only file system refused/);
      expect(got["part"]).to.equal("file in");
      expect(got["from"]).to.match(/^\/anon \/b \/d .*Read-only file system refused$/);
      expect(got["tmpfs"]).to.equal("1700 0 1024 64 3072");
      expect(got["slave"]).to.equal("1");
    } finally {
      await execute("umount", [join(here, "bind/below")]);
    }
    const out = "type=volume,source=data,target=/x,volume-subpath";
    await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "ln", "-s", "/etc", "/d/out");
    for (const part of ["out", "out/passwd", "nothing"]) {
      expect(await engine.fails(125, "run", "--rm", "--mount", `${out}=${part}`, "busybox")).to.include(
        "cannot access path",
      );
    }
    expect(await engine.fails(125, "run", "--mount", `${out}=../x`, "busybox")).to.include(
      "relative path within the volume",
    );
  });

  it("as namespaces that are shared, no further than Docker shares them", async () => {
    const shareable = ["--name", "donor", "--ipc", "shareable", "--shm-size", "2m"];
    await engine.ok("run", "-d", ...shareable, "busybox", "sh", "-c", "echo mine >/dev/shm/x; exec sleep 600");
    await engine.ok("run", "-d", "--name", "private", "busybox", "sleep", "600");
    const got = await inside(["--ipc", "container:donor", "--pid", "container:donor"], {
      shm: "cat /dev/shm/x",
      size: "df -k /dev/shm | awk 'NR>1{print $2}'",
      first: "cat /proc/1/cmdline | tr '\\0' ' '",
    });
    expect(got).to.deep.equal({ shm: "mine", size: "2048", first: "sleep 600" });
    const refused = await engine.fails(125, "run", "--rm", "--ipc", "container:private", "busybox");
    expect(refused).to.include("non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
    expect(await engine.fails(125, "run", "--pid", "container:nobody", "busybox")).to.include("no such container");
    const host = await inside(["--uts", "host", "--pid", "host", "--ipc", "host", "--cgroupns", "host"], {
      uts: "readlink /proc/self/ns/uts",
      pid: "readlink /proc/self/ns/pid",
      ipc: "readlink /proc/self/ns/ipc",
    });
    for (const [name, value] of Object.entries(host)) {
      const { stdout } = await execute("readlink", [`/proc/self/ns/${name}`]);
      expect(value).to.equal(stdout.trim());
    }
    expect(await inside(["--ipc", "none"], { shm: "grep -c ' /dev/shm ' /proc/mounts" })).to.deep.equal({ shm: "0" });
    await engine.ok("rm", "-f", "donor", "private");
  });

  it("as names of others: links, hosts, resolvers", async () => {
    await engine.ok("run", "-d", "--name", "db", "-h", "database", "busybox", "sleep", "600");
    const address = await engine.inspect("db", "NetworkSettings.IPAddress");
    const got = await inside(
      [
        ...["--link", "db:sql", "--add-host", "here:host-gateway", "--dns", "192.0.2.1", "--dns-search", "lab.example"],
        ...["--dns-option", "ndots:3"],
      ],
      {
        link: "grep sql /etc/hosts | tr '\\t' ' '",
        gateway: "awk '$2==\"here\"{print $1}' /etc/hosts",
        route: "ip route | awk '/default/{print $3}'",
        resolv: "tr '\\n' ' ' </etc/resolv.conf",
      },
    );
    expect(got["link"]).to.equal(`${address} sql database db`);
    expect(got["gateway"]).to.equal(got["route"]);
    expect(got["resolv"]).to.equal("nameserver 127.0.0.11 search lab.example options ndots:3");
    await engine.ok("stop", "-t", "0", "db");
    expect(await engine.fails(125, "run", "--name", "web", "--link", "db:sql", "busybox")).to.include(
      "Cannot link to a non running container: /db AS /web/sql",
    );
  });

  it("as devices: by path, by rule, by CDI", async () => {
    await writeFile(
      join(here, "cdi/lab.yaml"),
      [
        "cdiVersion: 0.6.0",
        "kind: lab.example/thing",
        "containerEdits: { env: [CDI=all] }",
        "devices:",
        "- name: one",
        "  containerEdits:",
        "    env: [THING=one]",
        "    deviceNodes: [{ path: /dev/thing, hostPath: /dev/full, permissions: rw }]",
        `    mounts: [{ hostPath: ${here}/cdi, containerPath: /cdi, options: [ro] }]`,
        "    hooks:",
        `    - { hookName: createRuntime, path: /bin/sh, args: [sh, -c, "cat >/dev/null; echo ran >${here}/hooked"] }`,
      ].join("\n"),
    );
    const got = await inside(
      [
        ...["--device", "/dev/loop1:/dev/wrong:r", "--device-cgroup-rule", "c 7:* r"],
        ...["--device", "lab.example/thing=one", "--cap-add", "MKNOD"],
      ],
      {
        device: "stat -c %t:%T /dev/wrong; : </dev/wrong && echo read",
        written: "echo x >/dev/wrong && echo written || echo refused",
        thing: "stat -c %t:%T /dev/thing; echo $CDI $THING; ls /cdi",
        rule: "mknod /tmp/l c 7 0; head -c 0 /tmp/l && echo opened",
      },
    );
    expect(got["written"]).to.match(/not permitted refused$/);
    expect(await readFile(join(here, "hooked"), "utf8")).to.equal("ran\n");
    expect(got).to.include({ device: "7:1 read", thing: "1:7 all one lab.yaml", rule: "opened" });
    const unknown = await engine.fails(125, "run", "--rm", "--device", "lab.example/thing=two", "busybox");
    expect(unknown).to.include("unresolvable CDI devices lab.example/thing=two");
    expect(await engine.fails(125, "run", "--rm", "--gpus", "all", "busybox")).to.include("nvidia.com/gpu=all");
    expect(await engine.fails(125, "run", "--rm", "--gpus", '"capabilities=tpu"', "busybox")).to.include(
      'could not select device driver "" with capabilities',
    );
  });

  it("as security options, a profile of its own among them", async () => {
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["chmod", "fchmodat"], action: "SCMP_ACT_ERRNO" }],
    };
    await writeFile(join(here, "profile.json"), JSON.stringify(profile));
    const got = await inside(
      [
        ...["--security-opt", `seccomp=${here}/profile.json`, "--security-opt", "systempaths=unconfined"],
        ...[
          "--security-opt",
          "no-new-privileges:true",
          "--security-opt",
          "label=disable",
          "--sysctl",
          "kernel.msgmax=4096",
        ],
      ],
      {
        chmod: "chmod 777 /etc && echo changed || echo refused",
        masked: "grep -c ' /proc/' /proc/mounts",
        privs: "grep NoNewPrivs /proc/self/status | tr -d '\\t'",
        sysctl: "cat /proc/sys/kernel/msgmax",
      },
    );
    expect(got["chmod"]).to.match(/not permitted refused$/);
    expect(got).to.include({ masked: "0", privs: "NoNewPrivs:1", sysctl: "4096" });
    expect(await engine.fails(125, "run", "--rm", "--security-opt", `seccomp=${here}/none`, "busybox")).to.include(
      "none",
    );
  });

  it("by the runtime that was asked for", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "box",
      "--runtime",
      "runc",
      "--restart",
      "always",
      "busybox",
      "sleep",
      "600",
    );
    expect(await engine.ok("exec", "box", "echo", "in")).to.equal("in");
    expect(await engine.inspect("box", "HostConfig.Runtime")).to.equal("runc");
    await engine.ok("restart", "-t", "0", "box");
    await engine.ok("rm", "-f", "box");
    expect(await engine.ok("run", "--rm", "--runtime", "wrapped", "busybox", "echo", "out")).to.equal("out");
    const calls = await readFile(join(here, "wrapped.calls"), "utf8");
    expect(calls)
      .to.match(/ create /)
      .and.match(/ delete /);
    expect(await engine.fails(125, "run", "--runtime", "kata", "busybox")).to.include(
      "unknown or invalid runtime name: kata",
    );
  });
});
