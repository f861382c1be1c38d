import { createSocket } from "node:dgram";
import { expect } from "chai";
import { Forwarder } from "../../../../services/networks/dns/forward.ts";
import { readQuery } from "../../../../services/networks/dns/wire.ts";
import { addressOf, query, read, testResolver } from "./resolver.ts";

const ask = async (forwarder: Forwarder, message: Buffer, servers: string[], transport: "udp" | "tcp" = "udp") => {
  const parsed = readQuery(message) ?? expect.fail("no question");
  return forwarder.answer(message, parsed, servers, transport);
};

describe("questions that are none of ours", function () {
  this.timeout(10_000);

  it("are asked once, however many ask, and answered under each one's own id and spelling", async () => {
    await using resolver = await testResolver("127.0.0.1", ({ name }) => ({ answers: [addressOf(name, "192.0.2.1")] }));
    using forwarder = new Forwarder(resolver.port);
    const answers = await Promise.all(
      [1, 2, 3].map((id) => ask(forwarder, query("Some.example", "A", id), ["127.0.0.1"])),
    );
    expect(answers.map(read)).to.deep.equal([1, 2, 3].map((id) => ({ id, rcode: "NOERROR", data: ["192.0.2.1"] })));
    const later = await ask(forwarder, query("sOME.example", "A", 9), ["127.0.0.1"]);
    expect(later.toString("latin1")).to.include("sOME");
    expect(resolver.asked).to.deep.equal(["udp Some.example"]);
  });

  it("wait for a silent first resolver once, and go to the next at once from then on", async () => {
    await using resolver = await testResolver("127.0.0.2", ({ name }) => ({ answers: [addressOf(name, "192.0.2.2")] }));
    await using silent = await testResolver("127.0.0.1", () => undefined, resolver.port);
    using forwarder = new Forwarder(resolver.port);
    const servers = ["127.0.0.1", "127.0.0.2"];
    const first = performance.now();
    expect(read(await ask(forwarder, query("a.example"), servers)).data).to.deep.equal(["192.0.2.2"]);
    expect(performance.now() - first).to.be.within(500, 3_000);
    for (const name of ["b.example", "c.example"]) await ask(forwarder, query(name), servers);
    expect(silent.asked).to.deep.equal(["udp a.example"]);
  });

  it("do not wait at all for a resolver that is not there, and take no error where another knows better", async () => {
    await using good = await testResolver("127.0.0.3", ({ name }) => ({ answers: [addressOf(name, "192.0.2.3")] }));
    await using _bad = await testResolver("127.0.0.2", () => ({ flags: 2 }), good.port);
    using forwarder = new Forwarder(good.port);
    const answer = await ask(forwarder, query("a.example"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    expect(read(answer)).to.deep.include({ rcode: "NOERROR", data: ["192.0.2.3"] });
  });

  it("end with SERVFAIL where nobody answers", async () => {
    using forwarder = new Forwarder(await freePort());
    expect(read(await ask(forwarder, query("a.example"), ["127.0.0.1"])).rcode).to.equal("SERVFAIL");
  });

  it("take large answers over TCP", async () => {
    const many = Array.from({ length: 200 }, (_none, index) => `192.0.2.${index}`);
    await using resolver = await testResolver("127.0.0.1", ({ name }) => ({
      answers: many.map((address) => addressOf(name, address)),
    }));
    using forwarder = new Forwarder(resolver.port);
    const answer = await ask(forwarder, query("many.example"), ["127.0.0.1"], "tcp");
    expect(read(answer).data).to.have.length(200);
    expect(resolver.asked).to.deep.equal(["tcp many.example"]);
  });

  it("believe a resolver only what was asked", async () => {
    await using resolver = await testResolver("127.0.0.1", () => ({
      questions: [{ name: "other.example", type: "A" }],
      answers: [addressOf("other.example", "192.0.2.66")],
    }));
    using forwarder = new Forwarder(resolver.port);
    expect(read(await ask(forwarder, query("a.example"), ["127.0.0.1"])).rcode).to.equal("SERVFAIL");
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  const bound = Promise.withResolvers<void>();
  socket.bind(0, "127.0.0.1", () => bound.resolve());
  await bound.promise;
  const { port } = socket.address();
  socket.close();
  return port;
}
