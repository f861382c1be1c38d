import { expect } from "chai";
import {
  type Container,
  ContainerState,
  type ListContainersRequest,
  OutputStream,
  type ReadLogsRequest,
  type UpdateContainerRequest,
  type WaitContainerRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { eventually } from "../../../lab/eventually.ts";
import { served } from "./served.ts";
import { CONTAINER_ID, IMAGE_ID, NETWORK_ID, nginx } from "./specimens.ts";

const inspecting = (container: Container = nginx()) => ({ inspectContainer: async () => ({ container }) });

describe("the Docker API's containers", () => {
  it("are listed with Docker's fields, and every query parameter reaches the service", async () => {
    const asked: ListContainersRequest[] = [];
    await using docker = await served({
      containers: {
        listContainers: async (request) => {
          asked.push(request);
          const isFirst = request.pageToken === "";
          return { containers: isFirst ? [nginx()] : [], nextPageToken: isFirst ? "2" : "" };
        },
      },
    });
    const query =
      "all=1&limit=5&size=true&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%2C%22name%22%3A%5B%22web%22%5D%7D";
    const { status, json } = await docker.call("GET", `/v1.50/containers/json?${query}`);
    expect(status).to.equal(200);
    expect(asked.map(({ pageToken }) => pageToken)).to.deep.equal(["", "2"]);
    expect(asked[0]).to.deep.include({ all: true, last: 5, withSize: true });
    expect(asked[0]?.filters).to.deep.equal([
      { key: "label", values: ["a=b"] },
      { key: "name", values: ["web"] },
    ]);
    expect(json).to.be.an("array").with.length(1);
    const [summary] = json as [Record<string, unknown>];
    expect(summary).to.deep.include({
      Id: CONTAINER_ID,
      Names: ["/web"],
      Image: "nginx:latest",
      ImageID: IMAGE_ID,
      Command: "/docker-entrypoint.sh nginx -g 'daemon off;'",
      Created: 1_700_000_000,
      Ports: [{ IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" }],
      Labels: { maintainer: "nginx", tier: "front" },
      State: "running",
      HostConfig: { NetworkMode: "bridge" },
    });
    expect(summary["Status"]).to.match(/^Up \d+ (weeks|months|years)$/);
    expect(summary).to.have.nested.property("NetworkSettings.Networks.bridge.IPAddress", "172.17.0.2");
    expect(summary).to.have.property("Mounts").with.length(2);
  });

  it("refuse a filter that Docker does not have, and one that is no JSON", async () => {
    await using docker = await served({});
    const unknown = await docker.call("GET", `/containers/json?filters=${encodeURIComponent('{"foo":["x"]}')}`);
    expect([unknown.status, unknown.json]).to.deep.equal([400, { message: "invalid filter 'foo'" }]);
    expect((await docker.call("GET", "/containers/json?filters=%7B")).status).to.equal(400);
    expect((await docker.call("GET", "/containers/json?limit=x")).status).to.equal(400);
  });

  it("say how healthy they are, in lists and inspections", async () => {
    const at = (seconds: number) => ({ seconds: 1_700_000_000 + seconds, nanos: 0 });
    const log = [{ start: at(0), end: at(1), exitCode: 1, output: "no\n" }];
    const ill = nginx({ health: { status: 3, failingStreak: 4, log, consequence: "stopped: unhealthy" } });
    await using docker = await served({
      containers: {
        listContainers: async () => ({
          containers: [ill, nginx({ health: { status: 1, failingStreak: 0, log: [], consequence: "" } }), nginx()],
          nextPageToken: "",
        }),
        inspectContainer: async () => ({ container: ill }),
      },
    });
    const { json: listed } = await docker.call("GET", "/containers/json");
    const statuses = (listed as { Status: string }[]).map(({ Status }) => Status.replace(/^Up .*?(?= \(|$)/, "Up"));
    expect(statuses).to.deep.equal(["Up (unhealthy)", "Up (health: starting)", "Up"]);
    const { json: inspected } = await docker.call("GET", "/containers/web/json");
    expect((inspected as { State: { Health: object } }).State.Health).to.deep.equal({
      Status: "unhealthy",
      FailingStreak: 4,
      Log: [{ Start: "2023-11-14T22:13:20Z", End: "2023-11-14T22:13:21Z", ExitCode: 1, Output: "no\n" }],
      Consequence: "stopped: unhealthy",
    });
  });

  it("are updated: what is not said stays, and a policy is changed only when it is named", async () => {
    const asked: UpdateContainerRequest[] = [];
    await using docker = await served({
      containers: {
        updateContainer: async (request) => {
          asked.push(request);
          return { id: CONTAINER_ID, warnings: ["no swap"] };
        },
      },
    });
    const body = { Memory: 1 << 26, PidsLimit: -1, RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } };
    expect((await docker.call("POST", "/containers/web/update", body)).json).to.deep.equal({ Warnings: ["no swap"] });
    await docker.call("POST", "/containers/web/update", { NanoCpus: 5e8 });
    expect(asked[0]).to.deep.include({ ref: "web", restart: { mode: 4, maxRetries: 2 } });
    expect(asked[0]?.resources).to.include({ memoryBytes: 1 << 26, pidsLimit: -1, nanoCpus: 0 });
    expect(asked[1]).to.deep.include({ restart: undefined });
  });

  it("are inspected with all of Docker's fields, nulls and empty lists", async () => {
    await using docker = await served({ containers: inspecting() });
    const { json } = await docker.call("GET", "/v1.50/containers/web/json");
    expect(json).to.deep.include({
      Id: CONTAINER_ID,
      Created: "2023-11-14T22:13:20.1234567Z",
      Path: "/docker-entrypoint.sh",
      Args: ["nginx", "-g", "daemon off;"],
      Image: IMAGE_ID,
      Name: "/web",
      RestartCount: 0,
      Driver: "overlay2",
      Platform: "linux",
      MountLabel: "",
      ProcessLabel: "",
      AppArmorProfile: "",
      ExecIDs: null,
      LogPath: "/var/lib/ctl/containers/4c01/log",
      State: {
        Status: "running",
        Running: true,
        Paused: false,
        Restarting: false,
        OOMKilled: false,
        Dead: false,
        Pid: 4242,
        ExitCode: 0,
        Error: "",
        StartedAt: "2023-11-14T22:13:21Z",
        FinishedAt: "0001-01-01T00:00:00Z",
      },
      Config: {
        Hostname: "4c01db0b339c",
        Domainname: "",
        User: "",
        AttachStdin: false,
        AttachStdout: false,
        AttachStderr: false,
        ExposedPorts: { "80/tcp": {} },
        Tty: false,
        OpenStdin: false,
        StdinOnce: false,
        Env: ["A=1", "PATH=/usr/bin", "NGINX_VERSION=1.27"],
        Cmd: ["nginx", "-g", "daemon off;"],
        Image: "nginx:latest",
        Volumes: null,
        WorkingDir: "",
        Entrypoint: ["/docker-entrypoint.sh"],
        OnBuild: null,
        Labels: { maintainer: "nginx", tier: "front" },
        StopSignal: "SIGQUIT",
      },
      Mounts: [
        {
          Type: "volume",
          Name: "data",
          Source: "/v/data/_data",
          Destination: "/data",
          Driver: "local",
          Mode: "z",
          RW: true,
          Propagation: "",
        },
        { Type: "bind", Source: "/srv", Destination: "/srv", Mode: "ro", RW: false, Propagation: "rprivate" },
      ],
    });
    const { HostConfig, NetworkSettings } = json as Record<"HostConfig" | "NetworkSettings", object>;
    expect(HostConfig).to.deep.include({
      Binds: ["data:/data", "/srv:/srv:ro"],
      Tmpfs: { "/cache": "size=1m" },
      NetworkMode: "bridge",
      PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] },
      RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
      LogConfig: { Type: "json-file", Config: {} },
      Memory: 67_108_864,
      PidsLimit: 100,
      OomKillDisable: null,
      CapAdd: null,
      Dns: [],
      ShmSize: 67_108_864,
      Runtime: "crun",
      ConsoleSize: [0, 0],
    });
    expect(NetworkSettings).to.deep.include({
      SandboxKey: "/run/ctl/netns/4c01",
      Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] },
      IPAddress: "172.17.0.2",
      IPPrefixLen: 16,
      Gateway: "172.17.0.1",
    });
    expect(NetworkSettings).to.have.deep.nested.property("Networks.bridge", {
      IPAMConfig: null,
      Links: null,
      Aliases: null,
      MacAddress: "02:42:ac:11:00:02",
      DriverOpts: null,
      GwPriority: 0,
      NetworkID: NETWORK_ID,
      EndpointID: "b88f5b905aabf2893f3cbc4ee42d1ea7980bbc0a92e2c8922b1e1795298afb0b",
      Gateway: "172.17.0.1",
      IPAddress: "172.17.0.2",
      IPPrefixLen: 16,
      IPv6Gateway: "",
      GlobalIPv6Address: "",
      GlobalIPv6PrefixLen: 0,
      DNSNames: null,
    });
  });

  it("lose the network fields of Docker's first days from 1.52 on", async () => {
    await using docker = await served({ containers: inspecting() });
    const { json } = await docker.call("GET", "/v1.52/containers/web/json");
    expect(json).to.have.property("NetworkSettings").that.has.all.keys("SandboxID", "SandboxKey", "Ports", "Networks");
  });

  it("have no addresses and ports while they do not run", async () => {
    const stopped = nginx({
      state: ContainerState.EXITED,
      exitCode: 137,
      pid: 0,
      finished: { seconds: 1_700_000_100, nanos: 0 },
    });
    await using docker = await served({ containers: inspecting(stopped) });
    const { json } = await docker.call("GET", "/v1.50/containers/web/json");
    expect(json).to.deep.nested.include({
      "State.Status": "exited",
      "State.ExitCode": 137,
      "State.FinishedAt": "2023-11-14T22:15:00Z",
      "NetworkSettings.Ports": {},
      "NetworkSettings.SandboxKey": "",
      "NetworkSettings.Networks.bridge.IPAddress": "",
      "NetworkSettings.Networks.bridge.NetworkID": NETWORK_ID,
    });
  });

  it("answer a wait's headers at once and its exit code when it comes", async () => {
    const exit = Promise.withResolvers<void>();
    const asked: WaitContainerRequest[] = [];
    await using docker = await served({
      containers: {
        ...inspecting(),
        waitContainer: async (request) => {
          asked.push(request);
          await exit.promise;
          return { id: CONTAINER_ID, exitCode: 3, error: "", hasMounts: false, isRemoving: false };
        },
      },
    });
    await using connection = await docker.open();
    connection.socket.write("POST /v1.50/containers/web/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n");
    await eventually(() => connection.received().includes("\r\n\r\n"));
    expect(connection.received().toString()).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    expect(connection.received().toString()).to.not.include("StatusCode");
    exit.resolve();
    await eventually(() => connection.received().includes('{"StatusCode":3}'));
    expect(asked).to.have.length(1);
    expect(asked[0]).to.include({ ref: CONTAINER_ID, condition: 2 });
    const wrong = await docker.call("POST", "/containers/web/wait?condition=never");
    expect([wrong.status, wrong.json]).to.deep.equal([400, { message: 'invalid condition: "never"' }]);
  });

  it("go on with a wait that a restart of the service interrupts", async () => {
    const conditions: number[] = [];
    await using docker = await served({
      containers: {
        ...inspecting(nginx({ state: ContainerState.EXITED })),
        waitContainer: async ({ condition }) => {
          conditions.push(condition);
          if (conditions.length === 1) throw new CtlError("UNAVAILABLE", { reason: "GONE", what: "wait", why: "down" });
          return { id: CONTAINER_ID, exitCode: 7, error: "", hasMounts: false, isRemoving: false };
        },
      },
    });
    const { text } = await docker.call("POST", "/v1.50/containers/web/wait?condition=next-exit");
    expect(text).to.equal('{"StatusCode":7}\n');
    expect(conditions, "its next exit was in the gap").to.deep.equal([2, 1]);
  });

  it("end the service's call when the client goes away", async () => {
    const aborted = Promise.withResolvers<string>();
    await using docker = await served({
      containers: {
        ...inspecting(),
        waitContainer: async (_request, { signal, actor }) => {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          aborted.resolve(actor);
          return { id: "", exitCode: 0, error: "", hasMounts: false, isRemoving: false };
        },
      },
    });
    const connection = await docker.open();
    connection.socket.write("POST /containers/web/wait HTTP/1.1\r\nHost: d\r\n\r\n");
    await eventually(() => connection.received().includes("\r\n\r\n"));
    connection.socket.destroy();
    expect(await aborted.promise).to.equal("uid 0");
  });

  it("are stopped, killed and renamed: 204, or 304 where nothing changes", async () => {
    const asked: unknown[] = [];
    const note = async <T extends object>(request: T): Promise<{ id: string; changed: boolean }> => {
      asked.push(request);
      return { id: CONTAINER_ID, changed: asked.length > 1 };
    };
    await using docker = await served({
      containers: { ...inspecting(), stopContainer: note, killContainer: note },
      gateway: { renameContainer: note },
    });
    expect((await docker.call("POST", "/v1.50/containers/web/stop?t=3&signal=INT")).status).to.equal(304);
    expect((await docker.call("POST", "/v1.50/containers/web/stop")).status).to.equal(204);
    expect((await docker.call("POST", "/v1.50/containers/web/kill?signal=HUP")).status).to.equal(204);
    expect((await docker.call("POST", "/v1.50/containers/web/rename?name=/other")).status).to.equal(204);
    expect((await docker.call("POST", "/v1.50/containers/web/rename")).status).to.equal(400);
    expect(asked).to.deep.equal([
      { ref: "web", timeoutS: 3, signal: "INT" },
      { ref: "web", timeoutS: undefined, signal: "" },
      { ref: "web", signal: "HUP" },
      { ref: CONTAINER_ID, name: "other" },
    ]);
    const same = await docker.call("POST", "/containers/web/rename?name=web");
    expect([same.status, same.json]).to.deep.equal([
      400,
      { message: "Renaming a container with the same name as its current name" },
    ]);
  });

  it("are told by their ids where Docker does so, and in its words for a kill and a name in use", async () => {
    const refuse = (code: "FAILED_PRECONDITION" | "ALREADY_EXISTS", reason: string, why: string) => async () => {
      throw new CtlError(code, { reason, what: 'use the name "db" for a container', why });
    };
    const shortId = CONTAINER_ID.slice(0, 12);
    await using docker = await served({
      containers: {
        ...inspecting(),
        killContainer: refuse("FAILED_PRECONDITION", "CONTAINER_NOT_RUNNING", "it does not run"),
      },
      gateway: {
        renameContainer: refuse("ALREADY_EXISTS", "CONTAINER_NAME_IN_USE", `container ${shortId} has that name`),
      },
    });
    expect((await docker.call("POST", "/containers/web/kill")).json).to.deep.equal({
      message: `cannot kill container: web: container ${CONTAINER_ID} is not running`,
    });
    expect((await docker.call("POST", "/containers/web/rename?name=db")).json).to.deep.equal({
      message: `error when allocating new name: Conflict. The container name "/db" is already in use by container "${CONTAINER_ID}". You have to remove (or rename) that container to be able to reuse that name.`,
    });
  });

  it("give their logs in frames, with times before lines and not before parts", async () => {
    const asked: ReadLogsRequest[] = [];
    const time = { seconds: 1_700_000_000, nanos: 42 };
    await using docker = await served({
      containers: {
        ...inspecting(),
        readLogs: async function* (request) {
          asked.push(request);
          const frame = (stream: OutputStream, text: string) => ({
            stream,
            data: Buffer.from(text),
            position: undefined,
          });
          const frames = [frame(OutputStream.STDERR, "err\n"), frame(OutputStream.STDOUT, "one\ntwo\n")];
          if (request.asFrames) yield { details: {}, records: [], frames };
          else
            yield {
              details: {},
              frames: [],
              records: [
                { stream: OutputStream.STDOUT, time, data: Buffer.from("par"), isLineEnd: false },
                { stream: OutputStream.STDERR, time, data: Buffer.from("err\n"), isLineEnd: true },
                { stream: OutputStream.STDOUT, time, data: Buffer.from("tial\n"), isLineEnd: true },
              ],
            };
        },
      },
    });
    const plain = await docker.call("GET", "/v1.50/containers/web/logs?stdout=1&stderr=1&tail=5&since=1699999999.5");
    expect(plain.headers["content-type"]).to.equal("application/vnd.docker.multiplexed-stream");
    expect(plain.text).to.equal("\u0002\0\0\0\0\0\0\u0004err\n\u0001\0\0\0\0\0\0\u0008one\ntwo\n");
    expect(asked[0]).to.deep.include({ tail: 5, stdout: true, stderr: true, follow: false });
    expect(asked[0]?.since).to.deep.equal({ seconds: 1_699_999_999, nanos: 500_000_000 });
    const stamped = await docker.call("GET", "/v1.41/containers/web/logs?stdout=1&tail=all&timestamps=1");
    expect(stamped.headers["content-type"]).to.equal("application/vnd.docker.raw-stream");
    expect(stamped.text).to.include("2023-11-14T22:13:20.000000042Z par");
    expect(stamped.text).to.include("\u0005tial\n");
    expect(asked[1]?.tail).to.equal(undefined);
    const none = await docker.call("GET", "/containers/web/logs");
    expect([none.status, none.json]).to.deep.equal([
      400,
      { message: "Bad parameters: you must choose at least one stream" },
    ]);
  });

  it("give a terminal's logs as they are", async () => {
    const container = nginx({ spec: { tty: true } });
    const record = { stream: OutputStream.STDOUT, time: undefined, data: Buffer.from("hi\r\n"), isLineEnd: true };
    await using docker = await served({
      containers: {
        ...inspecting(container),
        readLogs: async function* () {
          yield { details: {}, records: [record], frames: [] };
        },
      },
    });
    const { text, headers } = await docker.call("GET", "/v1.50/containers/web/logs?stdout=1");
    expect(text).to.equal("hi\r\n");
    expect(headers["content-type"]).to.equal("application/vnd.docker.raw-stream");
  });
});
