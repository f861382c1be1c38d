import { expect } from "chai";
import { CtlError } from "../../../../services/kit/errors.ts";
import {
  chooseSubnet,
  defaultGateway,
  defaultPools,
  uniqueLocalPool,
} from "../../../../services/networks/ipam/pools.ts";
import { formatSubnet, parseSubnet, type Subnet } from "../../../../services/networks/ipam/subnet.ts";

const choose = (taken: readonly Subnet[]) => chooseSubnet(defaultPools(), taken);

describe("address pools", () => {
  it("give Docker's subnets in Docker's order, each once, then say that they are exhausted", () => {
    const taken: Subnet[] = [];
    for (let i = 0; i < 40; i++) taken.push(choose(taken));
    const texts = taken.map(formatSubnet);
    expect(texts.slice(0, 4)).to.deep.equal(["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]);
    expect(texts.slice(14, 17)).to.deep.equal(["172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20"]);
    expect(texts.slice(30, 33)).to.deep.equal(["192.168.240.0/20", "10.192.0.0/24", "10.192.1.0/24"]);
    expect(new Set(texts).size).to.equal(40);
    expect(() => choose([...taken, parseSubnet("10.192.0.0/12")]))
      .to.throw(CtlError)
      .with.property("reason", "ADDRESS_POOLS_EXHAUSTED");
  });

  it("keep clear of the host's routes, wide and narrow, but not of the default route", () => {
    expect(formatSubnet(choose(["0.0.0.0/0", "::/0"].map(parseSubnet)))).to.equal("172.17.0.0/16");
    expect(formatSubnet(choose(["172.17.99.0/24", "172.18.5.5/32"].map(parseSubnet)))).to.equal("172.19.0.0/16");
    expect(formatSubnet(choose([parseSubnet("172.16.0.0/12")]))).to.equal("192.168.0.0/20");
  });

  it("of IPv6 are a node's own, the same each time, of RFC 4193's form", () => {
    const pool = uniqueLocalPool("node-a");
    expect(pool).to.deep.equal(uniqueLocalPool("node-a"));
    expect(pool.base.bytes[0]).to.equal(0xfd);
    expect(pool.base.bytes.equals(uniqueLocalPool("node-b").base.bytes)).to.equal(false);
    const one = chooseSubnet([pool], [], 6);
    const other = chooseSubnet([pool], [one, parseSubnet("172.17.0.0/16")], 6);
    expect([one.prefix, other.prefix]).to.deep.equal([64, 64]);
    expect(other.bytes.equals(one.bytes)).to.equal(false);
    expect(() => chooseSubnet([], [], 6)).to.throw("no address pool of IPv6 is configured");
  });

  it("make the first address the gateway", () => {
    expect(defaultGateway(parseSubnet("172.17.0.0/16"))).to.equal("172.17.0.1");
    expect(defaultGateway(parseSubnet("fd00:1::/64"))).to.equal("fd00:1::1");
  });
});
