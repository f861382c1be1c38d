import { expect } from "chai";
import { CtlError } from "../../../../services/kit/errors.ts";
import { macOfAddress, parseMac } from "../../../../services/networks/ipam/mac.ts";

describe("MAC addresses", () => {
  it("follow the IPv4 address as Docker's do, so that an address always has the same one", () => {
    expect(macOfAddress("172.17.0.2")).to.equal("02:42:ac:11:00:02");
    expect(macOfAddress("fd00::2"))
      .to.equal(macOfAddress("fd00::2"))
      .and.match(/^02:42(:[0-9a-f]{2}){4}$/);
  });

  it("are read in any spelling and refused when they name a group, nobody or nothing", () => {
    expect(parseMac("02-42-AC-11-00-02")).to.equal("02:42:ac:11:00:02");
    for (const text of [
      "01:00:5e:00:00:01",
      "ff:ff:ff:ff:ff:ff",
      "00:00:00:00:00:00",
      "02:42",
      "xx:42:ac:11:00:02",
      "",
    ]) {
      expect(() => parseMac(text))
        .to.throw(CtlError)
        .with.property("reason", "MAC_INVALID");
    }
  });
});
