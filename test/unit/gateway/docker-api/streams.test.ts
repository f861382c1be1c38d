import { expect } from "chai";
import {
  type AttachRequest,
  AttachResponse,
  ContainerState,
  type ExecRequest,
  ExecResponse,
  OutputStream,
} from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { eventually } from "../../../lab/eventually.ts";
import { type Answers, served } from "./served.ts";
import { CONTAINER_ID, nginx } from "./specimens.ts";

const UPGRADE = "Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";

/** A container that says back what it is sent, until its input closes; then it exits. */
function echoing(requests: AttachRequest[], spec: object = { openStdin: true }): NonNullable<Answers["containers"]> {
  return {
    inspectContainer: async () => ({ container: nginx({ state: ContainerState.CREATED, spec }) }),
    attach: async function* (input) {
      for await (const request of input) {
        requests.push(request);
        const event = request.input;
        if (event?.$case === "open") {
          yield AttachResponse.fromPartial({ event: { $case: "attached", value: { id: CONTAINER_ID } } });
        }
        if (event?.$case === "stdin") {
          const value = { stream: OutputStream.STDOUT, data: event.value };
          yield AttachResponse.fromPartial({ event: { $case: "output", value } });
        }
        if (event?.$case === "closeStdin") break;
      }
      yield AttachResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 0 } } });
    },
  };
}

describe("the Docker API's raw streams", () => {
  it("carry an attachment both ways, in frames, until the client closes its side and the container ends", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests) });
    await using connection = await docker.open();
    connection.socket.write(
      `POST /v1.50/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n${UPGRADE}Content-Length: 0\r\n\r\n`,
    );
    await eventually(() => connection.received().includes("\r\n\r\n"));
    const head = connection.received().toString();
    expect(head).to.match(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(head).to.include("Content-Type: application/vnd.docker.multiplexed-stream\r\n");
    expect(head).to.include("Connection: Upgrade\r\n").and.to.include("Upgrade: tcp\r\n");
    connection.socket.write("hello");
    await eventually(() => connection.received().includes("\u0001\0\0\0\0\0\0\u0005hello"));
    connection.socket.end();
    await connection.closed;
    expect(requests.map(({ input }) => input?.$case)).to.deep.equal(["open", "stdin", "closeStdin"]);
    expect(requests[0]?.input?.value).to.deep.include({
      ref: CONTAINER_ID,
      stdin: true,
      awaitStart: true,
      logs: false,
    });
  });

  it("carry a terminal's bytes as they are, and its size from a request of its own", async () => {
    const requests: AttachRequest[] = [];
    const sizes: unknown[] = [];
    await using docker = await served({
      containers: {
        ...echoing(requests, { openStdin: true, tty: true }),
        resizeContainer: async ({ size }) => {
          sizes.push(size);
          return {};
        },
        inspectContainer: async () => ({
          container: nginx({ state: ContainerState.RUNNING, spec: { openStdin: true, tty: true } }),
        }),
      },
    });
    await using connection = await docker.open();
    connection.socket.write(
      `POST /v1.50/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\nls\r`,
    );
    await eventually(() => connection.received().toString().endsWith("\r\n\r\nls\r"));
    expect(connection.received().toString()).to.include("Content-Type: application/vnd.docker.raw-stream");
    expect((await docker.call("POST", "/v1.50/containers/web/resize?h=24&w=80")).status).to.equal(200);
    expect(sizes).to.deep.equal([{ rows: 24, columns: 80 }]);
    expect((await docker.call("POST", "/containers/web/resize?h=a&w=80")).status).to.equal(400);
    connection.socket.write("\u0010\u0011");
    await connection.closed;
    const inputs = () => requests.map(({ input }) => input?.$case);
    await eventually(() => inputs().includes("detach"));
    expect(inputs(), "detaching leaves the container's input open").to.deep.equal(["open", "stdin", "detach"]);
  });

  it("serve a client that does not ask for an upgrade: 200, and a body that ends with the connection", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests) });
    await using connection = await docker.open();
    connection.socket.write(
      "POST /containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    await connection.closed;
    const text = connection.received().toString();
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text.toLowerCase()).to.not.include("transfer-encoding");
    expect(text).to.include("\u0001\0\0\0\0\0\0\u0002hi");
  });

  it("give only the streams that are asked for, and without `stream` only what was written before", async () => {
    const output = (stream: OutputStream, text: string) =>
      AttachResponse.fromPartial({ event: { $case: "output", value: { stream, data: Buffer.from(text) } } });
    const record = (stream: OutputStream, text: string) => ({
      stream,
      time: undefined,
      data: Buffer.from(text),
      isLineEnd: true,
    });
    await using docker = await served({
      containers: {
        inspectContainer: async () => ({ container: nginx() }),
        attach: async function* () {
          yield AttachResponse.fromPartial({ event: { $case: "attached", value: {} } });
          yield output(OutputStream.STDOUT, "out");
          yield output(OutputStream.STDERR, "err");
          yield AttachResponse.fromPartial({ event: { $case: "exit", value: {} } });
        },
        readLogs: async function* () {
          const records = [record(OutputStream.STDOUT, "old\n"), record(OutputStream.STDERR, "bad\n")];
          yield { details: {}, records, frames: [] };
        },
      },
    });
    const bodyOf = async (query: string) => (await docker.call("POST", `/containers/web/attach?${query}`)).text;
    expect(await bodyOf("stream=1&stderr=1")).to.equal("\u0002\0\0\0\0\0\0\u0003err");
    expect(await bodyOf("stream=1&stdin=1")).to.equal("");
    expect(await bodyOf("logs=1&stdout=1")).to.equal("\u0001\0\0\0\0\0\0\u0004old\n");
    expect(await bodyOf("stdout=1")).to.equal("");
  });

  it("refuse an attachment like any other request, with its status", async () => {
    await using docker = await served({
      containers: {
        inspectContainer: async ({ ref }) => {
          throw new CtlError("NOT_FOUND", { reason: "CONTAINER_NOT_FOUND", what: `inspect "${ref}"`, why: "none" });
        },
      },
    });
    await using connection = await docker.open();
    connection.socket.write(`POST /v1.50/containers/nope/attach?stream=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
    await connection.closed;
    expect(connection.received().toString()).to.match(
      /^HTTP\/1\.1 404 Not Found\r\n.*\{"message":"No such container: nope"\}\n/s,
    );
  });

  it("are closed after the container's end, also where the client leaves its side open", async () => {
    const ended = Promise.withResolvers<void>();
    await using docker = await served({
      containers: {
        inspectContainer: async () => ({ container: nginx() }),
        attach: async function* (_requests, { signal }) {
          yield AttachResponse.fromPartial({ event: { $case: "attached", value: {} } });
          yield AttachResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 0 } } });
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          ended.resolve();
        },
      },
    });
    await using connection = await docker.open();
    connection.socket.write(`POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
    await Promise.all([connection.closed, ended.promise]);
    await eventually(() => {
      connection.socket.write("x"); // fails once the other side is closed
      return connection.socket.destroyed;
    });
  });

  it("end the container's session when the client disconnects", async () => {
    const aborted = Promise.withResolvers<void>();
    await using docker = await served({
      containers: {
        inspectContainer: async () => ({ container: nginx() }),
        attach: async function* (_requests, { signal, actor }) {
          expect(actor).to.equal("uid 0");
          yield AttachResponse.fromPartial({ event: { $case: "attached", value: {} } });
          for (let count = 0; !signal.aborted; count++) {
            const value = { stream: OutputStream.STDOUT, data: Buffer.from(`${count}\n`) };
            yield AttachResponse.fromPartial({ event: { $case: "output", value } });
            await new Promise((resolve) => setImmediate(resolve));
          }
          aborted.resolve();
        },
      },
    });
    const connection = await docker.open();
    connection.socket.write(`POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
    await eventually(() => connection.received().includes("3\n"));
    connection.socket.destroy();
    await aborted.promise;
  });
});

describe("the Docker API's execs", () => {
  const exec = (answers: NonNullable<Answers["containers"]>) => served({ containers: answers });
  const inspectContainer = async () => ({ container: nginx({ state: ContainerState.RUNNING }) });
  const inspectExec = (exitCode?: number) => async () => ({
    execId: "e1",
    containerId: CONTAINER_ID,
    spec: {
      command: ["sh", "-c", "x"],
      env: [],
      workingDir: "",
      user: "",
      tty: false,
      stdin: true,
      stdout: true,
      stderr: true,
      privileged: false,
      detach: false,
      size: undefined,
      detachKeys: "",
    },
    running: false,
    exitCode,
    pid: 0,
    created: undefined,
  });

  it("are made, started with their streams, and told about", async () => {
    const requests: ExecRequest[] = [];
    const made: unknown[] = [];
    await using docker = await exec({
      createExec: async (request) => {
        made.push(request.spec);
        return { execId: "e1" };
      },
      inspectContainer,
      inspectExec: () => inspectExec(requests.length === 0 ? undefined : 5)(),
      exec: async function* (input) {
        for await (const request of input) {
          requests.push(request);
          if (request.input?.$case === "open") {
            yield ExecResponse.fromPartial({ event: { $case: "started", value: { execId: "e1", pid: 9 } } });
            const value = { stream: OutputStream.STDERR, data: Buffer.from("oops") };
            yield ExecResponse.fromPartial({ event: { $case: "output", value } });
          }
          if (request.input?.$case === "closeStdin") break;
        }
        yield ExecResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 5 } } });
      },
    });
    const body = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Cmd: ["sh", "-c", "x"], User: "nobody" };
    const created = await docker.call("POST", "/v1.50/containers/web/exec", body);
    expect([created.status, created.json]).to.deep.equal([201, { Id: "e1" }]);
    expect(made[0]).to.deep.include({ command: ["sh", "-c", "x"], user: "nobody", stdin: true, detach: false });
    await using connection = await docker.open();
    const start = JSON.stringify({ Detach: false, Tty: false, ConsoleSize: [24, 80] });
    connection.socket.write(
      `POST /v1.50/exec/e1/start HTTP/1.1\r\n${UPGRADE}Content-Type: application/json\r\nContent-Length: ${start.length}\r\n\r\n${start}`,
    );
    await eventually(() => connection.received().includes("\u0002\0\0\0\0\0\0\u0004oops"));
    connection.socket.end();
    await connection.closed;
    expect(requests[0]?.input?.value).to.deep.include({
      exec: { $case: "execId", value: "e1" },
      size: { rows: 24, columns: 80 },
      detach: false,
    });
    const { json } = await docker.call("GET", "/v1.50/exec/e1/json");
    expect(json).to.deep.include({
      ID: "e1",
      Running: false,
      ExitCode: 5,
      ContainerID: CONTAINER_ID,
      ProcessConfig: { tty: false, entrypoint: "sh", arguments: ["-c", "x"], privileged: false },
    });
  });

  it("have their headers before the process starts: a client that buffers would lose output in the same piece", async () => {
    const seen = Promise.withResolvers<void>();
    await using docker = await exec({
      inspectContainer,
      inspectExec: inspectExec(),
      exec: async function* () {
        await seen.promise;
        yield ExecResponse.fromPartial({ event: { $case: "started", value: { execId: "e1", pid: 9 } } });
        yield ExecResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 0 } } });
      },
    });
    await using connection = await docker.open();
    connection.socket.write(
      `POST /v1.50/exec/e1/start HTTP/1.1\r\n${UPGRADE}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    await eventually(() => connection.received().toString().startsWith("HTTP/1.1 101 UPGRADED"));
    seen.resolve();
    await connection.closed;
  });

  it("get a size that comes between their headers and their process once there is one", async () => {
    const order: string[] = [];
    const [asked, resized] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using docker = await exec({
      inspectContainer,
      inspectExec: inspectExec(),
      resizeExec: async () => {
        order.push("resized");
        resized.resolve();
        return {};
      },
      exec: async function* () {
        await asked.promise;
        order.push("started");
        yield ExecResponse.fromPartial({ event: { $case: "started", value: { execId: "e1", pid: 9 } } });
        await resized.promise;
        yield ExecResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 0 } } });
      },
    });
    await using connection = await docker.open();
    const body = '{"Tty":true}';
    connection.socket.write(
      `POST /v1.50/exec/e1/start HTTP/1.1\r\n${UPGRADE}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => connection.received().toString().startsWith("HTTP/1.1 101 UPGRADED"));
    const resizing = docker.call("POST", "/v1.50/exec/e1/resize?h=33&w=77");
    await docker.call("GET", "/_ping"); // the size was asked for before this was answered
    asked.resolve();
    expect((await resizing).status).to.equal(200);
    await connection.closed;
    expect(order).to.deep.equal(["started", "resized"]);
  });

  it("run once, in a container that runs: else they are refused before anything is taken over", async () => {
    await using over = await exec({ inspectContainer, inspectExec: inspectExec(0) });
    expect((await over.call("POST", "/v1.50/exec/e1/start", {})).status).to.equal(409);
    const stopped = { container: nginx({ state: ContainerState.EXITED }) };
    await using down = await exec({ inspectContainer: async () => stopped, inspectExec: inspectExec() });
    const refused = await down.call("POST", "/v1.50/exec/e1/start", {});
    expect([refused.status, refused.json]).to.deep.equal([
      409,
      { message: `container ${CONTAINER_ID} is not running` },
    ]);
  });

  it("without a command are refused; a command that the runtime refuses is told in the stream", async () => {
    await using docker = await exec({
      inspectContainer,
      inspectExec: inspectExec(),
      exec: async function* () {
        yield* [];
        throw new CtlError("FAILED_PRECONDITION", {
          reason: "COMMAND_NOT_FOUND",
          what: 'execute "nope"',
          why: 'exec: "nope": executable file not found in $PATH',
        });
      },
    });
    const none = await docker.call("POST", "/containers/web/exec", { Cmd: [] });
    expect([none.status, none.json]).to.deep.equal([400, { message: "No exec command specified" }]);
    const refused = await docker.call("POST", "/v1.50/exec/e1/start", { Detach: false, Tty: true });
    expect(refused.status).to.equal(200);
    expect(refused.text).to.match(/executable file not found in \$PATH\r\n$/);
  });
});
