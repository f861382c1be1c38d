import { expect } from "chai";
import { addressCandidates } from "../../../../services/networks/ipam/candidates.ts";
import { parseSubnet } from "../../../../services/networks/ipam/subnet.ts";

const subnet = parseSubnet("10.0.0.0/29");
const reserved = new Set(["10.0.0.1"]);

describe("address candidates", () => {
  it("are the subnet's addresses without its own, the broadcast and the reserved ones", () => {
    const all = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"];
    expect([...addressCandidates({ subnet, reserved })]).to.deep.equal(all);
    expect([...addressCandidates({ subnet, reserved: new Set(["10.0.0.1", ...all]) })]).to.deep.equal([]);
  });

  it("begin behind the one given last, and go round", () => {
    const candidates = addressCandidates({ subnet, reserved, after: "10.0.0.4" });
    expect([...candidates]).to.deep.equal(["10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  });

  it("stay within a range of the subnet, whose ends are ordinary addresses unless they are the subnet's", () => {
    const inner = { subnet: parseSubnet("10.0.0.0/24"), range: parseSubnet("10.0.0.8/30"), reserved };
    expect([...addressCandidates(inner)]).to.deep.equal(["10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11"]);
    expect([...addressCandidates({ ...inner, after: "10.0.0.200" })][0]).to.equal("10.0.0.8");
  });

  it("are both addresses of a /31, and made as they are asked for in a subnet of any size", () => {
    expect([...addressCandidates({ subnet: parseSubnet("10.0.0.0/31"), reserved })]).to.deep.equal(["10.0.0.0"]);
    const wide = addressCandidates({ subnet: parseSubnet("fd00::/64"), reserved: new Set(["fd00::1"]) });
    expect(wide.next().value).to.equal("fd00::2");
  });
});
