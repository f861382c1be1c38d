import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect } from "chai";
import { UpstreamUdp } from "../../../../services/networks/dns/upstream-udp.ts";
import { rejection } from "../../../lab/rejection.ts";

const QUESTION = Buffer.from("0000010000010000000000000000020001", "hex");

describe("questions to a resolver over UDP", () => {
  it("fail, and nothing of them is left, when their socket is closed before they are sent", async () => {
    const resolver = createSocket("udp4");
    resolver.on("message", (message, { port, address }) => resolver.send(message, port, address));
    resolver.bind(0, "127.0.0.1");
    await once(resolver, "listening");
    try {
      const upstream = new UpstreamUdp("127.0.0.1", resolver.address().port);
      const early = upstream.ask(QUESTION, 100);
      upstream[Symbol.dispose](); // its socket is not connected yet
      expect(await rejection(early))
        .to.be.an("error")
        .that.has.property("message", "the resolver is asked no more");

      expect(await upstream.ask(QUESTION, 5_000)).to.deep.equal(QUESTION);
      const late = upstream.ask(QUESTION, 100);
      upstream[Symbol.dispose](); // and now it is
      expect(await rejection(late))
        .to.be.an("error")
        .that.has.property("message", "the resolver is asked no more");
      // a time limit that was left running would fail this run, as an error that nobody hears of
      await new Promise((resolve) => setTimeout(resolve, 150));
    } finally {
      resolver.close();
    }
  });
});
