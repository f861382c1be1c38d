import { expect } from "chai";
import { eventually } from "../../../lab/eventually.ts";
import { served } from "./served.ts";

const json = { "content-type": "application/json" };

describe("the Docker API under hostile HTTP", () => {
  it("refuses what is no HTTP and goes on serving", async () => {
    await using docker = await served({});
    for (const bytes of [
      "\u0016\u0003\u0001\u0002\u0000",
      "GET / HTTP/9.9\r\n\r\n",
      "GET /x\r\n\r\n",
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
      "GET /_ping HTTP/1.1\r\n\r\n",
      "GET /%ff%fe HTTP/1.1\r\nHost: d\r\n\r\n",
    ]) {
      await using connection = await docker.open();
      connection.socket.end(bytes);
      await connection.closed;
      expect(connection.received().toString(), JSON.stringify(bytes)).to.match(/^(HTTP\/1\.1 4\d\d |$)/);
    }
    expect((await docker.call("GET", "/_ping")).status).to.equal(200);
  });

  it("bounds headers, bodies and the depth of JSON", async () => {
    await using docker = await served({});
    await using connection = await docker.open();
    connection.socket.write(`GET /_ping HTTP/1.1\r\nHost: d\r\nX-A: ${"a".repeat(100_000)}\r\n\r\n`);
    await connection.closed;
    expect(connection.received().toString()).to.match(/^HTTP\/1\.1 4/);
    const huge = await docker
      .call("POST", "/containers/create", "x", { ...json, "content-length": "99999999" })
      .catch(() => undefined);
    expect(huge?.status ?? 413).to.equal(413);
    const large = await docker
      .call("POST", "/containers/create", `"${"x".repeat(5 << 20)}"`, json)
      .catch(() => undefined);
    expect(large?.status ?? 413).to.equal(413);
    const deep = await docker.call("POST", "/containers/create", "[".repeat(100_000), json);
    expect([deep.status, deep.json]).to.deep.equal([400, { message: "invalid JSON: nested deeper than 64 levels" }]);
    const broken = await docker.call("POST", "/containers/create", "{", json);
    expect(broken.status).to.equal(400);
    const wrong = await docker.call("POST", "/containers/create", { Image: 5 });
    expect(wrong.status).to.equal(400);
    const empty = await docker.call("POST", "/containers/create");
    expect(empty.json).to.deep.equal({ message: "invalid JSON: got EOF while reading request body" });
    const form = await docker.call("POST", "/containers/create", "a=b", { "content-type": "text/plain" });
    expect(form.json).to.deep.equal({
      message: "unsupported Content-Type header (text/plain): must be 'application/json'",
    });
  });

  it("keeps 500 idle connections and still answers, and lets them all go when it closes", async () => {
    const docker = await served({});
    const idle = await Promise.all(Array.from({ length: 500 }, () => docker.open()));
    for (const { socket } of idle) socket.write("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
    await eventually(() => idle.every((one) => one.received().includes("OK")));
    expect((await docker.call("GET", "/_ping")).text).to.equal("OK");
    await docker[Symbol.asyncDispose]();
    await Promise.all(idle.map(({ closed }) => closed));
  });

  it("outlives clients that hang up anywhere in a request", async () => {
    await using docker = await served({});
    const whole =
      'POST /v1.50/containers/create?name=a HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"Image":"a"}';
    for (let length = 1; length < whole.length; length += 7) {
      const connection = await docker.open();
      connection.socket.write(whole.slice(0, length));
      connection.socket.destroy();
    }
    expect((await docker.call("GET", "/_ping")).status).to.equal(200);
  });

  it("answers requests on one connection one after the other", async () => {
    await using docker = await served({});
    await using connection = await docker.open();
    const ping = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
    connection.socket.write(ping.repeat(3));
    await eventually(() => connection.received().toString().split("HTTP/1.1 200 OK").length === 4);
  });
});
