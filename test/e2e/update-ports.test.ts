import { get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const PAGE = "Welcome to nginx!";

describe("published ports of a container that runs", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox", "nginx"] });
  const { ok } = engine;

  it("are added and taken back, shown, told as events, and kept over a restart", async () => {
    await ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await ok("update", "--publish-add", "8081:80", "--publish-add", "127.0.0.1:8082:80", "web");
    for (const port of [8080, 8081, 8082]) expect(await page(port)).to.contain(PAGE);
    expect(await ok("port", "web", "80"))
      .to.include("0.0.0.0:8081")
      .and.to.include("127.0.0.1:8082");
    await ok("update", "--publish-add", "8081:80", "web"); // what it has already
    await ok("update", "--publish-rm", "8080:80", "web");
    await refuses(8080);
    expect(await ok("port", "web")).not.to.include(":8080");
    await ok("restart", "-t", "0", "web");
    await eventually(async () => expect(await page(8081)).to.contain(PAGE));
    await refuses(8080);
    await ok("stop", "-t", "0", "web");
    await ok("start", "web");
    await eventually(async () => expect(await page(8082)).to.contain(PAGE));
    const told = await ok("events", "--since", "10m", "--until", "0s", "--filter", "type=container");
    expect(told)
      .to.match(/container publish .*hostPort=8081/)
      .and.to.match(/container unpublish .*hostPort=8080/);
    await ok("update", "--publish-rm", "80", "web");
    for (const port of [8081, 8082]) await refuses(port);
    // the port is anybody's again
    await ok("run", "-d", "--name", "next", "-p", "8081:80", "nginx");
  });

  it("are refused when somebody has them, or nobody, and nothing of the change is done", async () => {
    await ok("run", "-d", "--name", "other", "-p", "8085:80", "nginx");
    await ok("run", "-d", "--name", "web", "nginx");
    expect(await engine.fails(1, "update", "--publish-add", "8086:80", "--publish-add", "8085:80", "web")).to.include(
      'container "other" has that port',
    );
    await refuses(8086);
    await using _server = await listen(8087);
    expect(await engine.fails(1, "update", "--publish-add", "8087:80", "web")).to.include("holds that port");
    expect(await engine.fails(1, "update", "--publish-rm", "80", "web")).to.include("does not publish it so");
    await ok("update", "--publish-add", "8086:80", "web");
    expect(await page(8086)).to.contain(PAGE);
    await ok("stop", "-t", "0", "web");
    expect(await engine.fails(1, "update", "--publish-add", "8088:80", "web")).to.include("does not run");
    await ok("run", "-d", "--name", "lonely", "--network", "none", "busybox", "sleep", "600");
    expect(await engine.fails(1, "update", "--publish-add", "8089:80", "lonely")).to.include("nothing outside reaches");
  });
});

/** By a connection of its own: one that stands goes on when its port is taken back. */
async function page(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get({ host: "127.0.0.1", port, agent: false, timeout: 5_000 }, resolve).on("error", reject);
  return text(await promise);
}

async function refuses(port: number): Promise<void> {
  const answered = await page(port).then(
    () => true,
    () => false,
  );
  expect(answered, `port ${port} answers`).to.equal(false);
}

async function listen(port: number): Promise<AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, () => resolve()));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
