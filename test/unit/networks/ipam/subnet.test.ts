import { expect } from "chai";
import { CtlError } from "../../../../services/kit/errors.ts";
import { parseAddress } from "../../../../services/networks/ipam/address.ts";
import {
  addressAt,
  containsSubnet,
  formatSubnet,
  isUsable,
  offsetOf,
  overlaps,
  parseSubnet,
  sizeOf,
  subnetOf,
  usableBounds,
} from "../../../../services/networks/ipam/subnet.ts";

describe("subnets", () => {
  it("are read and written, and know their addresses", () => {
    const subnet = parseSubnet("172.17.0.0/16");
    expect(formatSubnet(subnet)).to.equal("172.17.0.0/16");
    expect(sizeOf(subnet)).to.equal(65_536n);
    expect(addressAt(subnet, 257n)).to.equal("172.17.1.1");
    expect(offsetOf(subnet, parseAddress("172.17.255.255"))).to.equal(65_535n);
    expect(offsetOf(subnet, parseAddress("172.18.0.0"))).to.equal(undefined);
    expect(offsetOf(subnet, parseAddress("::1"))).to.equal(undefined);
    expect(addressAt(parseSubnet("fd00::/64"), 2n ** 64n - 1n)).to.equal("fd00::ffff:ffff:ffff:ffff");
    expect(formatSubnet(subnetOf(parseAddress("10.9.8.7"), 0))).to.equal("0.0.0.0/0");
  });

  it("overlap exactly when one holds the other", () => {
    const [wide, narrow, other, six] = ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "fd00::/8"].map(parseSubnet);
    if (wide === undefined || narrow === undefined || other === undefined || six === undefined) throw new Error();
    expect([overlaps(wide, narrow), overlaps(narrow, wide), overlaps(wide, wide)]).to.deep.equal([true, true, true]);
    expect([overlaps(wide, other), overlaps(narrow, other), overlaps(wide, six)]).to.deep.equal([false, false, false]);
    expect([containsSubnet(wide, narrow), containsSubnet(narrow, wide)]).to.deep.equal([true, false]);
  });

  it("with host bits are refused with the one that is meant", () => {
    expect(() => parseSubnet("172.20.0.5/16"))
      .to.throw(CtlError, "172.20.0.0/16 is meant")
      .with.property("reason", "SUBNET_INVALID");
  });

  it("that are none are refused", () => {
    for (const text of ["172.20.0.0", "172.20.0.0/33", "fd00::/129", "172.20.0.0/16/2", "/16", "172.20.0.0/-1"]) {
      expect(() => parseSubnet(text)).to.throw(CtlError);
    }
  });
});

describe("the addresses of a subnet that can be given", () => {
  const bounds = (subnet: string, range = subnet) => usableBounds(parseSubnet(subnet), parseSubnet(range));

  it("leave out its own and the broadcast, not those of a part of it", () => {
    expect(bounds("10.0.0.0/29")).to.deep.equal({ first: "10.0.0.1", last: "10.0.0.6" });
    expect(bounds("10.0.0.0/24", "10.0.0.8/30")).to.deep.equal({ first: "10.0.0.8", last: "10.0.0.11" });
    expect(bounds("10.0.0.0/24", "10.0.0.0/25")).to.deep.equal({ first: "10.0.0.1", last: "10.0.0.127" });
    expect(bounds("10.0.0.0/24", "10.0.0.7/32")).to.deep.equal({ first: "10.0.0.7", last: "10.0.0.7" });
    expect(bounds("10.0.0.0/24", "10.0.0.0/32")).to.equal(undefined);
  });

  it("are both of a /31 (RFC 3021), and all but the first of an IPv6 subnet", () => {
    expect(bounds("10.0.0.0/31")).to.deep.equal({ first: "10.0.0.0", last: "10.0.0.1" });
    expect(bounds("fd00::/120")).to.deep.equal({ first: "fd00::1", last: "fd00::ff" });
    expect(isUsable(parseSubnet("10.0.0.0/24"), "10.0.0.255")).to.equal(false);
    expect(isUsable(parseSubnet("10.0.0.0/24"), "10.0.1.1")).to.equal(false);
  });
});
