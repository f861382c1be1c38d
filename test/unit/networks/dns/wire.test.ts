import { expect } from "chai";
import packet from "dns-packet";
import { DnsCache } from "../../../../services/networks/dns/cache.ts";
import { bareAnswer, Rcode, readAnswer, readQuery } from "../../../../services/networks/dns/wire.ts";
import { addressOf, query, read } from "./resolver.ts";

describe("a DNS message", () => {
  it("that is cut or made up is no question and no answer, and never an exception", () => {
    const whole = query("a.long.name.example");
    const asked = readQuery(whole) ?? expect.fail("no question");
    const answer = packet.encode({
      type: "response",
      id: 7,
      questions: [{ name: "a.long.name.example", type: "A" }],
      answers: [addressOf("a.long.name.example", "192.0.2.1"), addressOf("a.long.name.example", "192.0.2.2")],
    });
    for (let length = 0; length < whole.length; length++)
      expect(readQuery(whole.subarray(0, length))).to.equal(undefined);
    for (let length = 0; length < answer.length; length++) {
      expect(readAnswer(answer.subarray(0, length), asked, whole)).to.equal(undefined);
    }
    for (let round = 0; round < 2_000; round++) {
      const noise = Buffer.from(round % 2 === 0 ? whole : answer);
      for (let hit = 0; hit < 4; hit++)
        noise[Math.floor(Math.random() * noise.length)] = Math.floor(Math.random() * 256);
      readQuery(noise);
      readAnswer(noise, asked, whole);
    }
    expect(readQuery(answer)).to.equal(undefined);
  });

  it("is refused, or sent to TCP, with its own id, question and wish for recursion", () => {
    const message = query("some.example", "AAAA", 99);
    const asked = readQuery(message) ?? expect.fail("no question");
    expect(read(bareAnswer(message, asked, Rcode.noSuchName))).to.deep.equal({ id: 99, rcode: "NXDOMAIN", data: [] });
    const truncated = packet.decode(bareAnswer(message, asked, Rcode.ok, true));
    expect(truncated.flags ?? 0).to.satisfy((flags: number) => (flags & packet.TRUNCATED_RESPONSE) !== 0);
    expect(truncated.questions?.[0]?.name).to.equal("some.example");
  });

  it("says how large an answer may be", () => {
    const plain = readQuery(query("a.example"));
    expect(plain?.udpBytes).to.equal(512);
    const edns = packet.encode({
      type: "query",
      id: 1,
      questions: [{ name: "a.example", type: "A" }],
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0x8000,
          flag_do: true,
          options: [],
        },
      ],
    });
    expect(readQuery(edns)).to.include({ udpBytes: 1232, variant: "D" });
  });
});

describe("answers that are kept", () => {
  it("grow older, and are forgotten when their time is over; what says no time is not kept", () => {
    const cache = new DnsCache();
    const message = query("a.example");
    const asked = readQuery(message) ?? expect.fail("no question");
    const keep = (ttl: number, answers = [addressOf("a.example", "192.0.2.1", ttl)]) => {
      const answer = packet.encode({ type: "response", id: 7, questions: [{ name: "a.example", type: "A" }], answers });
      const facts = readAnswer(answer, asked, message) ?? expect.fail("no answer");
      cache.store("here", asked, answer, facts, 0);
    };
    keep(10);
    const ttlAt = (ms: number) => {
      const found = cache.find("here", message, asked, ms);
      const [record] = found === undefined ? [] : (packet.decode(found).answers ?? []);
      return record !== undefined && "ttl" in record ? record.ttl : undefined;
    };
    expect(ttlAt(3_500)).to.equal(7);
    expect(cache.find("elsewhere", message, asked, 3_500)).to.equal(undefined);
    expect(ttlAt(10_000)).to.equal(undefined);
    keep(0);
    expect(ttlAt(0)).to.equal(undefined);
    keep(5, []);
    expect(ttlAt(0)).to.equal(undefined);
  });
});
