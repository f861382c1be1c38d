import { createServer, type ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import { expect } from "chai";
import { Http2Connection } from "../../../../cli/http2/connection.ts";
import type { Field } from "../../../../cli/http2/hpack.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const ALL_OCTETS = Array.from({ length: 256 }, (_, octet) => octet)
  .filter((octet) => octet >= 32 && octet !== 127)
  .map((octet) => String.fromCharCode(octet))
  .join("")
  .trim();

describe("the CLI's HTTP/2 connection", () => {
  it("decodes any header value, repeated and grown over one frame, as node:http2 compresses it", async () => {
    const long = "abc/ÿ".repeat(5_000);
    await using server = await serve((stream) => {
      stream.respond({ ":status": 200, "x-all": ALL_OCTETS, "x-long": long, "x-twice": ["1", "2"] });
      stream.end();
    });
    const connection = await Http2Connection.open({ path: server.socket });
    // the second answer refers to what the first put into the dynamic table
    for (let round = 0; round < 3; round++) {
      const { fields } = await request(connection);
      expect(fields).to.deep.include.members([
        [":status", "200"],
        ["x-all", ALL_OCTETS],
        ["x-long", long],
        ["x-twice", "1"],
        ["x-twice", "2"],
      ]);
    }
    connection.close();
  });

  it("fails the stream that the other side resets, and no other", async () => {
    await using server = await serve((stream, path) => {
      if (path === "/reset") stream.close(2);
      else stream.respond({ ":status": 200 }, { endStream: true });
    });
    const connection = await Http2Connection.open({ path: server.socket });
    const [reset, other] = await Promise.all([request(connection, "/reset"), request(connection)]);
    expect(reset.error).to.include({ name: "StreamError", code: 2 });
    expect(other.error).to.equal(undefined);
    connection.close();
  });

  it("fails every stream when the connection ends", async () => {
    await using server = await serve((stream) => stream.session?.destroy());
    const connection = await Http2Connection.open({ path: server.socket });
    const { error } = await request(connection);
    expect(error).to.be.instanceOf(Error);
    expect(connection.isUsable).to.equal(false);
  });

  it("throws the system's error where nothing serves", async () => {
    const failure = await Http2Connection.open({ path: "/nowhere/ctl.sock" }).catch((error: unknown) => error);
    expect(failure).to.include({ code: "ENOENT" });
  });
});

async function request(connection: Http2Connection, path = "/") {
  const fields: Field[] = [];
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const stream = connection.openStream(
    [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", path],
      [":authority", "localhost"],
    ],
    { fields: (more) => fields.push(...more), data: () => {}, ended: () => resolve(undefined), failed: resolve },
  );
  await stream.send(new Uint8Array(0), true);
  return { error: await promise, fields };
}

async function serve(answer: (stream: ServerHttp2Stream, path: string) => void) {
  const directory = await temporaryDirectory("http2");
  const socket = join(directory.path, "s.sock");
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {}); // a reset of our own
    answer(stream, headers[":path"] ?? "");
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socket, resolve);
  await promise;
  return {
    socket,
    async [Symbol.asyncDispose]() {
      server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}
