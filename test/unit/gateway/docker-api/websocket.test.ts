import { once } from "node:events";
import { expect } from "chai";
import {
  type AttachRequest,
  AttachResponse,
  ContainerState,
  OutputStream,
  ReadLogsResponse,
} from "#proto/ctl/containers/v1/containers.ts";
import { eventually } from "../../../lab/eventually.ts";
import { tcpRelay } from "../../../lab/tcp-relay.ts";
import { type Answers, served } from "./served.ts";
import { CONTAINER_ID, nginx } from "./specimens.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ=="; // of RFC 6455 §1.3, like the answer to it
const UPGRADE = "Host: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
const OPEN = `${UPGRADE}Sec-WebSocket-Key: ${KEY}\r\n\r\n`;

/** Says back what it is sent, on both outputs; ends with its input, or when it is told to. */
function echoing(requests: AttachRequest[], spec: object = { openStdin: true }): NonNullable<Answers["containers"]> {
  const output = (stream: OutputStream, data: Buffer) =>
    AttachResponse.fromPartial({ event: { $case: "output", value: { stream, data } } });
  return {
    inspectContainer: async () => ({ container: nginx({ state: ContainerState.RUNNING, spec }) }),
    attach: async function* (input) {
      for await (const request of input) {
        requests.push(request);
        const said = request.input;
        if (said?.$case === "open") {
          yield AttachResponse.fromPartial({ event: { $case: "attached", value: { id: CONTAINER_ID } } });
        }
        if (said?.$case === "stdin") {
          yield output(OutputStream.STDOUT, said.value);
          yield output(OutputStream.STDERR, Buffer.from("!"));
        }
        if (said?.$case === "closeStdin" || (said?.$case === "stdin" && said.value.includes("exit"))) break;
      }
      yield AttachResponse.fromPartial({ event: { $case: "exit", value: { exitCode: 0 } } });
    },
  };
}

/** What came on a websocket as one text, and what closed it. */
function listen(socket: WebSocket) {
  socket.binaryType = "arraybuffer";
  const heard = { text: "", kinds: new Set<string>() };
  socket.addEventListener("message", ({ data }) => {
    heard.kinds.add(typeof data === "string" ? "text" : "binary");
    heard.text += typeof data === "string" ? data : Buffer.from(data).toString();
  });
  const closed = once(socket, "close").then(([event]) => event as CloseEvent);
  return { heard, closed };
}

/** A frame of a client: short, and masked as it must be. */
function masked(opcode: number, text: string, first = 0x80): Buffer {
  const mask = [1, 2, 3, 4];
  const data = [...Buffer.from(text)].map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  return Buffer.from([first | opcode, 0x80 | data.length, ...mask, ...data]);
}

describe("the Docker API's websockets", () => {
  it("carry an attachment both ways, both outputs as they are, and close with the container", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests) });
    await using relay = await tcpRelay(docker.socket);
    const path = "v1.50/containers/web/attach/ws?stream=1&stdin=1&stdout=1&stderr=1";
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/${path}`);
    const { heard, closed } = listen(socket);
    await once(socket, "open");
    socket.send("hello ");
    socket.send(Buffer.from("bytes "));
    await eventually(() => heard.text === "hello !bytes !");
    const long = "x".repeat(200_000); // a length of 64 bits, in many pieces
    socket.send(long);
    await eventually(() => heard.text.replaceAll("!", "").length === "hello bytes ".length + long.length);
    socket.send("exit");
    const { code, wasClean } = await closed;
    expect([code, wasClean, [...heard.kinds]]).to.deep.equal([1000, true, ["binary"]]);
    expect(requests[0]?.input?.value).to.deep.include({ stdin: true, stdout: true, stderr: true, logs: false });
  });

  it("close the container's input when the client closes, and give only what is asked for", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests) });
    await using relay = await tcpRelay(docker.socket);
    const socket = new WebSocket(
      `ws://127.0.0.1:${relay.port}/containers/web/attach/ws?stream=1&stdin=1&stderr=1&logs=1`,
    );
    const { heard, closed } = listen(socket);
    await once(socket, "open");
    socket.send("hello");
    await eventually(() => heard.text === "!");
    socket.close();
    expect((await closed).wasClean).to.equal(true);
    await eventually(() => requests.some(({ input }) => input?.$case === "closeStdin"));
    expect(requests[0]?.input?.value).to.deep.include({ stdout: false, stderr: true, logs: true });
  });

  it("had all three streams until 1.42, and text until 1.28", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests) });
    await using relay = await tcpRelay(docker.socket);
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/v1.27/containers/web/attach/ws?stream=1`);
    const { heard, closed } = listen(socket);
    await once(socket, "open");
    socket.send("exit");
    await closed;
    expect([heard.text, [...heard.kinds]]).to.deep.equal(["exit!", ["text"]]);
  });

  it("leave a terminal by the keys that detach", async () => {
    const requests: AttachRequest[] = [];
    await using docker = await served({ containers: echoing(requests, { openStdin: true, tty: true }) });
    await using relay = await tcpRelay(docker.socket);
    const query = "stream=1&stdin=1&stdout=1&detachKeys=a,b";
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/containers/web/attach/ws?${query}`);
    const { heard, closed } = listen(socket);
    await once(socket, "open");
    socket.send("ha");
    await eventually(() => heard.text === "h");
    socket.send("b");
    expect((await closed).code).to.equal(1000);
    expect(requests.at(-1)?.input?.$case).to.equal("detach");
  });

  it("give what was written before where no stream is asked for", async () => {
    const time = { seconds: 1, nanos: 0 };
    const record = { stream: OutputStream.STDOUT, time, data: Buffer.from("earlier\n"), isLineEnd: true };
    await using docker = await served({
      containers: {
        ...echoing([]),
        readLogs: async function* () {
          yield ReadLogsResponse.fromPartial({ records: [record] });
        },
      },
    });
    await using relay = await tcpRelay(docker.socket);
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/containers/web/attach/ws?logs=1&stdout=1`);
    const { heard, closed } = listen(socket);
    expect((await closed).code).to.equal(1000);
    expect(heard.text).to.equal("earlier\n");
  });

  it("answer a ping between the pieces of a message, with the headers of every answer", async () => {
    await using docker = await served({ containers: echoing([]) });
    await using connection = await docker.open();
    connection.socket.write(`GET /v1.50/containers/web/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${OPEN}`);
    await eventually(() => connection.received().includes("\r\n\r\n"));
    const head = connection.received().toString();
    expect(head)
      .to.match(/^HTTP\/1\.1 101 /)
      .and.to.match(/^Upgrade: websocket\r$/m);
    expect(head)
      .to.include("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
      .and.to.match(/^api-version: /m);
    connection.socket.write(masked(1, "one", 0));
    connection.socket.write(masked(9, "are you there"));
    connection.socket.write(masked(0, "two"));
    await eventually(() => connection.received().includes("\u0082\u0003two", 0, "latin1"));
    const received = connection.received();
    expect(received.includes("\u0082\u0003one", 0, "latin1")).to.equal(true);
    expect(received.includes("\u008a\u000dare you there", 0, "latin1")).to.equal(true);
  });

  it("are closed where the client breaks the protocol, and end their session", async () => {
    const breaches: readonly (readonly [name: string, bytes: Buffer])[] = [
      ["unmasked", Buffer.from([0x81, 1, 0x41])],
      ["reserved bits", masked(1, "x", 0xc0)],
      ["an unknown kind", masked(3, "x")],
      ["an unknown kind of control", masked(11, "x")],
      ["a continuation of nothing", masked(0, "x")],
      ["a message within a message", Buffer.concat([masked(1, "x", 0), masked(1, "y")])],
      ["control in pieces", masked(9, "x", 0)],
      ["control that is too long", Buffer.from([0x89, 0xfe, 0, 126, 1, 2, 3, 4])],
      ["a length that no number holds", Buffer.from([0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4])],
    ];
    const protocolError = Buffer.from([0x88, 2, 1002 >> 8, 1002 & 0xff]);
    for (const [name, bytes] of breaches) {
      const requests: AttachRequest[] = [];
      await using docker = await served({ containers: echoing(requests) });
      await using connection = await docker.open();
      connection.socket.write(`GET /containers/web/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${OPEN}`);
      await eventually(() => connection.received().includes("\r\n\r\n"));
      connection.socket.write(bytes);
      await connection.closed;
      expect(connection.received().subarray(-4), name).to.deep.equal(protocolError);
    }
  });

  it("are refused like any other request", async () => {
    await using docker = await served({ containers: echoing([]) });
    const plain = await docker.call("GET", "/containers/web/attach/ws?stream=1");
    expect([plain.status, plain.json]).to.deep.equal([400, { message: "not websocket protocol" }]);
    for (const headers of [UPGRADE, `${UPGRADE.replace("13", "12")}Sec-WebSocket-Key: ${KEY}\r\n`]) {
      await using connection = await docker.open();
      connection.socket.write(`GET /containers/web/attach/ws?stream=1 HTTP/1.1\r\n${headers}\r\n`);
      await connection.closed;
      expect(connection.received().toString()).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/);
    }
    await using paused = await served({
      containers: { inspectContainer: async () => ({ container: nginx({ state: ContainerState.PAUSED }) }) },
    });
    await using connection = await paused.open();
    connection.socket.write(`GET /containers/web/attach/ws?stream=1 HTTP/1.1\r\n${OPEN}`);
    await connection.closed;
    expect(connection.received().toString()).to.match(/^HTTP\/1\.1 409 Conflict\r\n/);
  });
});
