import { once } from "node:events";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { tcpRelay } from "../../lab/tcp-relay.ts";
import { sharedEngine } from "../engine.ts";

describe("attaching by websocket", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("speaks with a container's program, and leaves it running when the client detaches", async () => {
    const id = await engine.ok("run", "-dit", "--name", "one", "busybox", "sh");
    await using relay = await tcpRelay(engine.daemon.socket);
    const attach = (query: string) => {
      const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/v1.50/containers/${id}/attach/ws?${query}`);
      const heard = { text: "" };
      socket.binaryType = "arraybuffer";
      socket.addEventListener("message", ({ data }) => {
        heard.text += Buffer.from(data).toString();
      });
      return { socket, heard, closed: once(socket, "close") };
    };
    const all = "stream=1&stdin=1&stdout=1&stderr=1";
    const first = attach(`${all}&logs=1`);
    await eventually(() => first.heard.text.includes("# "));
    first.socket.send("echo $((6 * 7))\n");
    await eventually(() => first.heard.text.includes("42"));
    first.socket.send("\u0010\u0011");
    await first.closed;
    expect(await engine.inspect("one", "State.Status")).to.equal("running");

    const second = attach(all);
    await once(second.socket, "open");
    second.socket.send("exit 5\n");
    await second.closed;
    await eventually(async () => (await engine.inspect("one", "State.ExitCode")) === 5);
  });

  it("closes the input of a program that reads to its end", async () => {
    const id = await engine.ok("create", "-i", "--name", "one", "busybox", "sh", "-c", "wc -c; exit 3");
    await using relay = await tcpRelay(engine.daemon.socket);
    const query = "stream=1&stdin=1&stdout=1&stderr=1";
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/v1.50/containers/${id}/attach/ws?${query}`);
    await once(socket, "open");
    await engine.ok("start", "one");
    socket.send(Buffer.from("0123456789"));
    socket.close();
    expect(await engine.ok("wait", "one")).to.equal("3");
    expect(await engine.ok("logs", "one")).to.equal("10");
  });
});
