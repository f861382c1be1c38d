import { expect } from "chai";
import { parseExposedPort, parsePort } from "../../../../cli/values/port.ts";
import { refused } from "./refused.ts";

const port = (containerPort: number, rest = {}) => ({
  containerPort,
  protocol: "tcp",
  hostIp: "",
  hostPort: 0,
  hostPortEnd: 0,
  ...rest,
});

describe("a published port", () => {
  it("is a port, one of the host's before it, an address before that", () => {
    expect(parsePort("80")).to.deep.equal([port(80)]);
    expect(parsePort("8080:80")).to.deep.equal([port(80, { hostPort: 8080 })]);
    expect(parsePort("127.0.0.1:8080:80/udp")).to.deep.equal([
      port(80, { hostIp: "127.0.0.1", hostPort: 8080, protocol: "udp" }),
    ]);
    expect(parsePort("127.0.0.1::80")).to.deep.equal([port(80, { hostIp: "127.0.0.1" })]);
    expect(parsePort("[::1]:8080:80")).to.deep.equal([port(80, { hostIp: "::1", hostPort: 8080 })]);
    expect(parsePort("80/SCTP")).to.deep.equal([port(80, { protocol: "sctp" })]);
  });

  it("may be ranges of the same length, one to one", () => {
    expect(parsePort("8000-8002:80-82")).to.deep.equal([
      port(80, { hostPort: 8000 }),
      port(81, { hostPort: 8001 }),
      port(82, { hostPort: 8002 }),
    ]);
    expect(parsePort("90-91")).to.deep.equal([port(90), port(91)]);
  });

  it("takes one of a range of the host's", () => {
    expect(parsePort("8000-8010:80")).to.deep.equal([port(80, { hostPort: 8000, hostPortEnd: 8010 })]);
  });

  it("is refused when it cannot be", () => {
    for (const given of [
      "",
      "x",
      "0",
      "70000",
      "80:",
      "8080:80/icmp",
      "1.2.3:80:80",
      "80-70",
      "80-82:90-91",
      "a:b:c:d",
    ])
      refused("PORT_INVALID", () => parsePort(given));
  });

  it("can be told without being published", () => {
    expect(parseExposedPort("53/udp")).to.deep.equal(["53/udp"]);
    expect(parseExposedPort("8000-8001")).to.deep.equal(["8000/tcp", "8001/tcp"]);
    refused("PORT_INVALID", () => parseExposedPort("80:80"));
  });
});
