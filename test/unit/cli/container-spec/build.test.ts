import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { RestartMode } from "#proto/ctl/containers/v1/spec.ts";
import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { buildSpec } from "../../../../cli/container-spec/build.ts";
import { containerFlags } from "../../../../cli/container-spec/flags.ts";
import { parseArguments } from "../../../../cli/grammar/parse.ts";
import { refused } from "../values/refused.ts";

const env = { HERE: "yes", HOME: "/home/me" };

function build(...argv: string[]) {
  const { flags, args } = parseArguments(containerFlags, argv, { name: "ctl run", stopsAtArgument: true });
  const [image = "", ...command] = args;
  return buildSpec({ flags, image, command, env, isDetached: false });
}

describe("a container's description from flags", () => {
  it("says nothing that was not said", () => {
    expect(build("busybox")).to.deep.include({
      image: "busybox",
      entrypoint: undefined,
      command: [],
      endpoints: [],
      healthcheck: undefined,
      stopTimeoutS: undefined,
      oomScoreAdj: undefined,
      attach: ["stdout", "stderr"],
    });
  });

  it("has every flag in its field", () => {
    const spec = build(
      ..."--name web -e A=1 -e HERE -e GONE -w /srv -u 1:2 --group-add audio --domainname d".split(" "),
      ..."--init -i -t --stop-signal INT --stop-timeout 3 --restart on-failure:2 -m 64m --memory-swap -1".split(" "),
      ..."--cpus 1.5 -c 512 --cpuset-cpus 0-1 --cpu-period 1000 --cpu-quota 500 --pids-limit 9".split(" "),
      ..."--cap-add NET_ADMIN --cap-drop ALL --privileged --read-only --shm-size 1m --sysctl a.b=1".split(" "),
      ..."--ulimit nofile=1:2 --oom-score-adj 5 --ipc host --pid host --uts host --cgroupns host".split(" "),
      ..."--dns 1.1.1.1 --dns-search x --dns-option ndots:1 --add-host db:10.0.0.1 -p 80:80 -P --expose 81".split(" "),
      ..."-l a=b --annotation k=v --log-driver local --log-opt max-size=1m --platform linux/arm64".split(" "),
      ..."--device /dev/fuse -v vol:/v --tmpfs /t --mount type=bind,source=/s,target=/m nginx -g off".split(" "),
    );
    expect(spec).to.deep.include({
      name: "web",
      env: ["A=1", "HERE=yes"],
      workingDir: "/srv",
      user: "1:2",
      groups: ["audio"],
      domainname: "d",
      init: true,
      openStdin: true,
      stdinOnce: false,
      tty: true,
      stopSignal: "INT",
      stopTimeoutS: 3,
      restart: { mode: RestartMode.ON_FAILURE, maxRetries: 2 },
      capAdd: ["NET_ADMIN"],
      capDrop: ["ALL"],
      privileged: true,
      readOnlyRootfs: true,
      shmSizeBytes: 1 << 20,
      sysctls: { "a.b": "1" },
      ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
      oomScoreAdj: 5,
      ipcMode: "host",
      pidMode: "host",
      utsMode: "host",
      cgroupnsMode: "host",
      dnsServers: ["1.1.1.1"],
      dnsSearch: ["x"],
      dnsOptions: ["ndots:1"],
      extraHosts: ["db:10.0.0.1"],
      publishAll: true,
      exposedPorts: ["81/tcp"],
      labels: { a: "b" },
      annotations: { k: "v" },
      logDriver: "local",
      logOptions: { "max-size": "1m" },
      platform: "linux/arm64",
      command: ["-g", "off"],
      attach: ["stdin", "stdout", "stderr"],
    });
    expect(spec.resources).to.deep.include({
      memoryBytes: 64 << 20,
      memorySwapBytes: -1,
      nanoCpus: 15e8,
      pidsLimit: 9,
    });
    expect(spec.mounts.map((mount) => mount.target)).to.deep.equal(["/v", "/m", "/t"]);
  });

  it("has the flags of devices, limits and other containers in their fields too", () => {
    const spec = build(
      ..."--hostname h --userns host --runtime runc --cgroup-parent /mine --volumes-from data:ro --link db:sql".split(
        " ",
      ),
      ..."--device vendor.com/net=eth0 --gpus all --memory-swappiness 7 --blkio-weight 20 --isolation default".split(
        " ",
      ),
      ..."--blkio-weight-device /dev/a:30 --device-read-bps /dev/a:1mb --device-write-iops /dev/a:9".split(" "),
      ..."--cpu-rt-period 1000 --cpu-rt-runtime 500 --volume-driver local -v data:/d --disable-content-trust".split(
        " ",
      ),
      ...["--device-cgroup-rule", "c 42:* rwm", "--uts", "private", "x"],
    );
    expect(spec).to.deep.include({
      ...{ hostname: "h", usernsMode: "host", runtime: "runc", cgroupParent: "/mine", utsMode: "" },
      ...{ volumesFrom: ["data:ro"], links: ["db:sql"], cdiDevices: ["vendor.com/net=eth0"], devices: [] },
      deviceCgroupRules: ["c 42:* rwm"],
      deviceRequests: [{ driver: "", count: -1, deviceIds: [], capabilities: [{ values: ["gpu"] }], options: {} }],
    });
    expect(spec.resources).to.deep.include({
      ...{ memorySwappiness: 7, blkioWeight: 20, cpuRealtimePeriodUs: 1000, cpuRealtimeRuntimeUs: 500 },
      blkioWeightDevice: [{ path: "/dev/a", value: 30 }],
      blkioReadBps: [{ path: "/dev/a", value: 1 << 20 }],
      blkioWriteIops: [{ path: "/dev/a", value: 9 }],
    });
    expect(spec.mounts[0]).to.include({ source: "data", driver: "local" });
  });

  it("refuses flags that exclude each other, with Docker's words", () => {
    const why = (...flags: string[]) => refused("FLAGS_CONFLICT", () => build(...flags, "x")).why;
    expect(why("--rm", "--restart", "always")).to.equal("conflicting options: cannot specify both --restart and --rm");
    expect(why("--uts", "host", "-h", "box")).to.equal("conflicting options: hostname and the UTS mode");
    expect(why("--link", "db", "--network", "host")).to.include("host type networking can't be used with links");
    expect(why("-v", "/a:/x", "--tmpfs", "/x")).to.equal("duplicate mount point: /x");
  });

  it("refuses flags that Docker has and this host has no use for, each with its reason", () => {
    const why = (...flags: string[]) => refused("FLAG_UNSUPPORTED", () => build(...flags, "x")).why;
    expect(why("--cpu-count", "2")).to.include("only supported on a Docker daemon running on windows");
    expect(why("--kernel-memory", "64m")).to.include("no limit of kernel memory");
    expect(why("--storage-opt", "size=1g")).to.include("pquota");
    expect(why("--use-api-socket")).to.include("credentials");
    expect(why("--disable-content-trust=false")).to.include("digest");
    refused("ISOLATION_INVALID", () => build("--isolation", "hyperv", "x"));
    for (const flag of ["--pid", "--ipc", "--uts", "--userns", "--cgroupns"]) {
      refused("NAMESPACE_MODE_INVALID", () => build(flag, "elsewhere", "x"));
    }
    refused("NAMESPACE_MODE_INVALID", () => build("--uts", "container:db", "x"));
  });

  it("tells no entrypoint from an empty one", () => {
    expect(build("--entrypoint", "", "x").entrypoint).to.deep.equal({ values: [] });
    expect(build("--entrypoint", "sh", "x").entrypoint).to.deep.equal({ values: ["sh"] });
  });

  it("gives the first network the flags that speak of one", () => {
    const flags = ["--network", "one", "--network", "name=two,alias=b", "--network-alias", "a", "--ip", "10.0.0.9"];
    expect(build(...flags, "x").endpoints).to.deep.equal([
      EndpointRequest.fromPartial({ network: "one", aliases: ["a"], ipv4Address: "10.0.0.9" }),
      EndpointRequest.fromPartial({ network: "two", aliases: ["b"] }),
    ]);
    expect(build("--network", "none", "x").endpoints.map(({ network }) => network)).to.deep.equal(["none"]);
  });

  it("describes a health check, or that there is none", () => {
    expect(
      build("--health-cmd", "true", "--health-interval", "5s", "--health-retries", "2", "x").healthcheck,
    ).to.include({
      intervalNs: 5e9,
      retries: 2,
    });
    expect(build("--no-healthcheck", "x").healthcheck?.test).to.deep.equal(["NONE"]);
    refused("FLAGS_CONFLICT", () => build("--no-healthcheck", "--health-cmd", "x", "x"));
  });

  it("reads the files that flags name", () => {
    const directory = mkdtempSync("/var/tmp/ctl-spec-");
    try {
      const path = (name: string, content: string) => {
        writeFileSync(join(directory, name), content);
        return join(directory, name);
      };
      const variables = path("env", "B=2\nHERE\n");
      const labels = path("labels", "x=y\n");
      const profile = path("seccomp.json", '{ "defaultAction": "SCMP_ACT_ALLOW" }');
      const spec = build(
        "--env-file",
        variables,
        "-e",
        "C=3",
        "--label-file",
        labels,
        "--security-opt",
        `seccomp=${profile}`,
        "x",
      );
      expect(spec.env).to.deep.equal(["B=2", "HERE=yes", "C=3"]);
      expect(spec.labels).to.deep.equal({ x: "y" });
      expect(spec.securityOptions).to.deep.equal(['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']);
    } finally {
      rmSync(directory, { recursive: true });
    }
    refused("FILE_UNREADABLE", () => build("--env-file", "/nowhere", "x"));
    refused("SECURITY_OPTION_INVALID", () => build("--security-opt", "seccomp=/nowhere", "x"));
    refused("SECURITY_OPTION_INVALID", () => build("--security-opt", "magic=on", "x"));
  });

  it("refuses what cannot be together", () => {
    for (const flags of [
      ["--rm", "--restart", "always"],
      ["-v", "a:/x", "-v", "b:/x/"],
      ["--network", "host", "--network-alias", "a"],
      ["--network", "none", "--network", "bridge"],
    ])
      refused("FLAGS_CONFLICT", () => build(...flags, "x"));
  });
});
