import { expect } from "chai";
import { InfoResponse, VersionResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { readReference } from "../../../api-reference/reference.ts";
import { served } from "./served.ts";

const gateway = {
  version: async () =>
    VersionResponse.fromPartial({
      version: "1.2.3",
      gitCommit: "abc1234",
      runtimeNode: "26.10.0",
      os: "linux",
      architecture: "amd64",
      kernel: "6.1.0",
      postgres: "18.4",
    }),
  info: async () =>
    InfoResponse.fromPartial({
      id: "5ae1",
      name: "host1",
      root: "/var/lib/ctl",
      containers: 3,
      running: 1,
      stopped: 2,
      cpuCount: 2,
      memoryBytes: 4 * 2 ** 30,
      kernel: "6.1.0",
      operatingSystem: "Debian GNU/Linux 12 (bookworm)",
      architecture: "amd64",
      cgroupMode: "2",
      runtime: "/usr/bin/crun",
      mirrors: [{ registry: "docker.io", urls: ["http://127.0.0.1:5000"] }],
    }),
};

describe("the Docker API's system pages", () => {
  it("answer a ping with the headers that clients negotiate by, to GET and to HEAD", async () => {
    await using docker = await served({});
    const get = await docker.call("GET", "/_ping");
    expect(get.status).to.equal(200);
    expect(get.text).to.equal("OK");
    expect(get.headers).to.include({
      "api-version": "1.56",
      "docker-experimental": "false",
      ostype: "linux",
      server: "ctl/1.2.3 (linux)",
      swarm: "inactive",
      "builder-version": "1",
      "cache-control": "no-cache, no-store, must-revalidate",
      pragma: "no-cache",
      "content-type": "text/plain; charset=utf-8",
    });
    const head = await docker.call("HEAD", "/v1.24/_ping");
    expect(head.status).to.equal(200);
    expect(head.headers["api-version"]).to.equal("1.56");
    expect(head.text).to.equal("");
  });

  it("refuse a client that is too old or too new in Docker's words, with the headers", async () => {
    await using docker = await served({ gateway });
    const old = await docker.call("GET", "/v1.23/version");
    expect(old.status).to.equal(400);
    expect(old.headers["api-version"]).to.equal("1.56");
    expect(old.json).to.deep.equal({
      message:
        "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    });
    const young = await docker.call("GET", "/v1.57/version");
    expect(young.status).to.equal(400);
    expect(young.json).to.deep.equal({
      message: "client version 1.57 is too new. Maximum supported API version is 1.56",
    });
    expect((await docker.call("GET", "/v2.1/version")).status).to.equal(400);
    for (const version of ["1.24", "1.41", "1.50", "1.56"]) {
      expect((await docker.call("GET", `/v${version}/version`)).status).to.equal(200);
    }
  });

  it("tell the version with its components", async () => {
    await using docker = await served({ gateway });
    const { json, headers } = await docker.call("GET", "/v1.50/version");
    expect(headers["content-type"]).to.equal("application/json");
    expect(json).to.deep.include({
      Platform: { Name: "ctl" },
      Version: "1.2.3",
      ApiVersion: "1.56",
      MinAPIVersion: "1.24",
      GitCommit: "abc1234",
      GoVersion: "node 26.10.0",
      Os: "linux",
      Arch: "amd64",
      KernelVersion: "6.1.0",
    });
    expect(json).to.have.property("Components").with.length(2);
  });

  it("tell about the host in all of Docker's fields with their types", async () => {
    await using docker = await served({ gateway });
    const { json } = await docker.call("GET", "/v1.50/info");
    expect(json).to.deep.include({
      ID: "5ae1",
      Containers: 3,
      ContainersRunning: 1,
      ContainersPaused: 0,
      ContainersStopped: 2,
      Driver: "overlay2",
      DockerRootDir: "/var/lib/ctl",
      NCPU: 2,
      MemTotal: 4_294_967_296,
      Architecture: "x86_64",
      OSType: "linux",
      OSVersion: "12",
      CgroupVersion: "2",
      ServerVersion: "1.2.3",
      DefaultRuntime: "crun",
      Runtimes: { crun: { path: "/usr/bin/crun" } },
      Warnings: null,
      Labels: [],
      SecurityOptions: [],
      GenericResources: null,
    });
    expect(json).to.have.nested.property("Swarm.LocalNodeState", "inactive");
    expect(json).to.have.nested.property("Swarm.RemoteManagers", null);
    expect(json).to.have.deep.nested.property("RegistryConfig.Mirrors", ["http://127.0.0.1:5000"]);
  });

  it("know every endpoint of Docker's description", async () => {
    await using docker = await served({});
    for (const endpoint of readReference().keys()) {
      const [method = "", path = ""] = endpoint.split(" ");
      const asking = docker.call(
        method,
        `/v1.56${path.replaceAll(/\{\w+\}/g, "x")}`,
        ["POST", "PUT"].includes(method) ? {} : undefined,
      );
      // one that streams has begun with 200 before it is told that nobody serves it here
      const json = await asking.then((answer) => answer.json).catch((error: Error) => error.message);
      expect(json, endpoint).not.to.deep.equal({ message: "page not found" });
    }
  });

  it("answer what does not exist, what is no swarm, and what is still to come, each in its way", async () => {
    await using docker = await served({});
    const missing = await docker.call("GET", "/v1.50/nothing/here");
    expect([missing.status, missing.json]).to.deep.equal([404, { message: "page not found" }]);
    const wrongMethod = await docker.call("PUT", "/v1.50/containers/json");
    expect([wrongMethod.status, wrongMethod.json]).to.deep.equal([404, { message: "page not found" }]);
    expect((await docker.call("GET", "/plugins")).json).to.deep.equal([]);
    expect((await docker.call("GET", "/plugins/a/b/json")).json).to.deep.equal({ message: 'plugin "a/b" not found' });
    expect((await docker.call("PUT", "/volumes/x")).status).to.equal(503);
    for (const path of ["/swarm", "/services", "/services/x/logs", "/nodes", "/tasks", "/secrets", "/configs/create"]) {
      const swarm = await docker.call("GET", path);
      expect(swarm.status, path).to.equal(503);
      expect(swarm.json)
        .to.have.property("message")
        .that.matches(/^This node is not a swarm manager\./);
    }
    for (const [method, path] of [
      ["POST", "/v1.50/build?t=x"],
      ["POST", "/commit?container=x"],
      ["POST", "/images/load"],
      ["POST", "/images/a/b/push"],
      ["GET", "/images/get"],
      ["GET", "/images/a/b/get"],
      ["GET", "/images/search?term=x"],
    ] as const) {
      const later = await docker.call(method, path);
      expect(later.status, path).to.equal(501);
      expect(later.json)
        .to.have.property("message")
        .that.matches(/not served by ctl yet$/);
    }
  });
});
