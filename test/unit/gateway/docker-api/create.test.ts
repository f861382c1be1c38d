import { expect } from "chai";
import type { CreateContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { containerSpec } from "../../../../gateway/docker-api/translate/container-spec.ts";
import { createBody } from "../../../../gateway/docker-api/translate/create-body.ts";
import { hostConfig } from "../../../../gateway/docker-api/translate/host-config.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { served } from "./served.ts";
import { CONTAINER_ID, nginx, nginxImage } from "./specimens.ts";

const spec = (body: object) => containerSpec("web", "", createBody.parse(body));

const RATES = [{ Path: "/dev/sda", Rate: 9 }];
const LIMITS = {
  ...{ BlkioDeviceReadBps: RATES, BlkioDeviceWriteBps: RATES, BlkioDeviceReadIOps: RATES, BlkioDeviceWriteIOps: RATES },
  ...{ BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 20 }], MemorySwappiness: 0 },
  ...{ CpuRealtimePeriod: 9, CpuRealtimeRuntime: 5, CgroupParent: "/mine", DeviceCgroupRules: ["c 1:3 r"] },
};
const OTHERS = {
  ...{ VolumesFrom: ["data:ro"], Links: ["/db:/web/sql"], Runtime: "crun", UsernsMode: "host", VolumeDriver: "" },
  ...{ MaskedPaths: [], ReadonlyPaths: [] },
  DeviceRequests: [
    { Driver: "cdi", Count: 0, DeviceIDs: ["a.b/c=d"], Capabilities: null, Options: null },
    { Driver: "", Count: -1, DeviceIDs: null, Capabilities: [["gpu"]], Options: {} },
  ],
};

async function* refusing(error: CtlError): AsyncGenerator<never> {
  yield await Promise.reject(error);
}

describe("the Docker API's create", () => {
  it("asks for the container and answers its id and warnings", async () => {
    const asked: CreateContainerRequest[] = [];
    await using docker = await served({
      gateway: {
        createContainer: async function* (request) {
          asked.push(request);
          if (request.spec?.image === "nope")
            throw new CtlError("NOT_FOUND", { reason: "IMAGE_NOT_FOUND", what: "find the image nope", why: "none" });
          yield { event: { $case: "created", value: { id: CONTAINER_ID, name: "web", warnings: ["slow"] } } };
        },
      },
      images: { inspectImage: async () => ({ image: nginxImage() }) },
    });
    const created = await docker.call("POST", "/v1.50/containers/create?name=web&platform=linux/amd64", {
      Image: "nginx",
      Cmd: ["nginx"],
    });
    expect([created.status, created.json]).to.deep.equal([201, { Id: CONTAINER_ID, Warnings: ["slow"] }]);
    expect(asked[0]?.spec).to.deep.include({
      name: "web",
      image: "nginx",
      command: ["nginx"],
      platform: "linux/amd64",
    });
    expect(asked[0]?.pull, "the client pulls").to.equal(3);
    const missing = await docker.call("POST", "/containers/create", { Image: "nope" });
    expect([missing.status, missing.json]).to.deep.equal([404, { message: "No such image: nope:latest" }]);
  });

  it("has no image for another platform than the image's, so that the client pulls it", async () => {
    await using docker = await served({ images: { inspectImage: async () => ({ image: nginxImage() }) } });
    const other = await docker.call("POST", "/containers/create?platform=linux/arm64", { Image: "nginx" });
    expect([other.status, other.json]).to.deep.equal([
      404,
      { message: "image with reference nginx was found but does not provide the specified platform (linux/arm64)" },
    ]);
    const nonsense = await docker.call("POST", "/containers/create?platform=nonsense", { Image: "nginx" });
    expect([nonsense.status, nonsense.json]).to.deep.equal([
      400,
      { message: '"nonsense": unknown operating system or architecture: invalid argument' },
    ]);
  });

  it("says with 400 that another container is missing: a client takes 404 for a missing image", async () => {
    const missing = { reason: "CONTAINER_NOT_FOUND", what: 'find the container "db"', why: "there is none" };
    await using docker = await served({
      gateway: {
        createContainer: () => refusing(new CtlError("NOT_FOUND", missing)),
      },
    });
    const refused = await docker.call("POST", "/containers/create", { Image: "nginx" });
    expect([refused.status, refused.json]).to.deep.equal([400, { message: "No such container: db" }]);
  });

  it("understands what the docker command sends", () => {
    const got = spec({
      Hostname: "h",
      User: "1:2",
      AttachStdout: true,
      AttachStderr: true,
      ExposedPorts: { "80/tcp": {} },
      Env: ["A=1", "B"],
      Cmd: null,
      Entrypoint: [""],
      Volumes: { "/anon": {} },
      Labels: { a: "b" },
      StopTimeout: 3,
      HostConfig: {
        Binds: ["/srv:/srv:ro,rslave", "data:/data:nocopy"],
        NetworkMode: "lan",
        PortBindings: {
          "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }],
          "53/udp": [{ HostIp: "", HostPort: "" }],
          "90/tcp": [{ HostIp: "", HostPort: "9000-9010" }],
        },
        RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
        Memory: 1 << 20,
        NanoCpus: 500_000_000,
        PidsLimit: -1,
        CapAdd: ["NET_ADMIN"],
        Tmpfs: { "/tmp": "size=1m,mode=1777" },
        Mounts: [
          { Type: "bind", Source: "/etc", Target: "/e", ReadOnly: true },
          { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } },
        ],
        Ulimits: [{ Name: "nofile", Soft: 10, Hard: 20 }],
        LogConfig: { Type: "", Config: {} },
        ConsoleSize: [0, 0],
        Init: null,
      },
      NetworkingConfig: {
        EndpointsConfig: { lan: { Aliases: ["db"], IPAMConfig: { IPv4Address: "10.0.0.5" } }, other: null },
      },
    });
    expect(got).to.deep.include({
      hostname: "h",
      user: "1:2",
      env: ["A=1", "B"],
      entrypoint: { values: [] },
      command: [],
      stopTimeoutS: 3,
      attach: ["stdout", "stderr"],
      exposedPorts: ["80/tcp"],
      capAdd: ["NET_ADMIN"],
      restart: { mode: 3, maxRetries: 0 },
    });
    expect(got.resources).to.include({ memoryBytes: 1 << 20, nanoCpus: 500_000_000, pidsLimit: 0 });
    expect(got.endpoints).to.deep.equal([
      EndpointRequest.fromPartial({ network: "lan", aliases: ["db"], ipv4Address: "10.0.0.5" }),
      EndpointRequest.fromPartial({ network: "other" }),
    ]);
    expect(got.ports).to.deep.equal([
      { containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1", hostPort: 8080, hostPortEnd: 0 },
      { containerPort: 53, protocol: "udp", hostIp: "", hostPort: 0, hostPortEnd: 0 },
      { containerPort: 90, protocol: "tcp", hostIp: "", hostPort: 9000, hostPortEnd: 9010 },
    ]);
    expect(got.mounts.map(({ target }) => target)).to.deep.equal(["/srv", "/data", "/tmp", "/e", "/t", "/anon"]);
    expect(got.mounts[0]).to.include({ type: 1, source: "/srv", readOnly: true, propagation: "rslave" });
    expect(got.mounts[1]).to.include({ type: 2, source: "data", noCopy: true });
    expect(got.mounts[3]).to.include({ createSource: false, readOnly: true });
    expect(got.mounts[4]?.tmpfsOptions).to.deep.equal(["size=1024", "mode=1777"]);
  });

  it("shows the same HostConfig again that a container was made with", () => {
    const HostConfig = {
      Binds: ["data:/data", "/srv:/srv:ro", "owned:/o:uid=1000,gid=0"],
      NetworkMode: "lan",
      PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }], "90/tcp": [{ HostIp: "", HostPort: "" }] },
      RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 },
      Mounts: [
        { Type: "bind", Source: "/etc", Target: "/e", ReadOnly: true, BindOptions: { Propagation: "rshared" } },
        { Type: "volume", Source: "v", Target: "/v", VolumeOptions: { NoCopy: true, Labels: { a: "b" } } },
        { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } },
      ],
      Tmpfs: { "/tmp": "size=1m" },
      Memory: 1 << 20,
      Ulimits: [{ Name: "nofile", Hard: 20, Soft: 10 }],
      Devices: [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" }],
      CapDrop: ["ALL"],
      Dns: ["1.1.1.1"],
      Sysctls: { "net.core.somaxconn": "1" },
      Init: true,
      ...LIMITS,
      ...OTHERS,
    };
    const shown = hostConfig(nginx({ spec: spec({ Image: "nginx", HostConfig }) }));
    expect(shown).to.deep.include(HostConfig);
  });

  it("takes a string where Go takes one, a name in any case, and null for nothing", () => {
    const got = spec({ image: "nginx", Cmd: "ls", entrypoint: "sh", Env: null, HostConfig: null, Unknown: [1] });
    expect(got).to.deep.include({ image: "nginx", command: ["ls"], entrypoint: { values: ["sh"] }, env: [] });
    expect(spec({ Entrypoint: [] }).entrypoint).to.equal(undefined);
    expect(got.endpoints).to.deep.include(EndpointRequest.fromPartial({ network: "bridge" }));
  });

  it("refuses what Docker refuses, and what is not here yet", () => {
    const refused = (body: object) => () => spec(body);
    const host = (HostConfig: object) => refused({ Image: "a", HostConfig });
    expect(host({ RestartPolicy: { Name: "sometimes" } })).to.throw(CtlError, "unknown policy 'sometimes'");
    expect(host({ RestartPolicy: { Name: "always", MaximumRetryCount: 2 } })).to.throw(CtlError, "on-failure");
    expect(host({ AutoRemove: true, RestartPolicy: { Name: "always" } })).to.throw(CtlError, "AutoRemove");
    expect(host({ Binds: ["a:b:c:d"] })).to.throw(CtlError, "invalid volume specification: 'a:b:c:d'");
    expect(host({ Binds: ["/a:b"] })).to.throw(CtlError, "mount path must be absolute");
    expect(host({ Binds: ["/a:/b:wat"] })).to.throw(CtlError, "invalid mode: wat");
    expect(host({ Binds: ["a:/b:uid=me"] })).to.throw(CtlError, "invalid mode: uid=me");
    expect(host({ Binds: ["a:/b:gid=4294967295"] })).to.throw(CtlError, "invalid mode: gid=4294967295");
    expect(host({ Mounts: [{ Type: "npipe", Target: "/x" }] })).to.throw(CtlError, 'type "npipe": mount type unknown');
    expect(host({ PortBindings: { "x/tcp": [] } })).to.throw(CtlError, "invalid port specification");
    expect(host({ Links: ["a:b:c"] })).to.throw(CtlError, "bad format for links");
    expect(host({ Isolation: "hyperv" })).to.throw(CtlError, "linux only supports 'default'");
    expect(host({ StorageOpt: { size: "1g" } })).to.throw(CtlError, "pquota");
    expect(host({ MaskedPaths: ["/proc/kcore"] })).to.throw(CtlError, "MaskedPaths");
  });
});
