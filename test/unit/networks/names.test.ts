import { expect } from "chai";
import { bridgeName, hostNames, isOurs, vethName } from "../../../services/networks/names.ts";

const ID = "0123456789abcdef".repeat(4);

describe("names on the host", () => {
  it("fit the kernel's 15 characters for every instance", () => {
    for (const instance of ["ctl", "a", "abcdefghijklmnop"]) {
      const names = hostNames(instance);
      for (const link of [names.defaultBridge, vethName(names, ID), bridgeName(ID)]) {
        expect(link.length, link).to.be.at.most(15);
      }
    }
    expect(hostNames("ctl")).to.include({ table: "ctl", defaultBridge: "ctl0" });
    expect(bridgeName(ID)).to.equal("br-0123456789ab");
  });

  it("tell the instances apart", () => {
    const all = ["ctl", "ctl-a", "ctl-b", "filter"].map(hostNames);
    for (const key of ["table", "defaultBridge", "vethPrefix", "aliasPrefix"] as const) {
      expect(new Set(all.map((names) => names[key])).size, key).to.equal(all.length);
    }
  });

  it("own the links that carry them, and no other", () => {
    const names = hostNames("ctl");
    expect(isOurs(names, { name: vethName(names, ID), alias: "" })).to.equal(true);
    expect(isOurs(names, { name: bridgeName(ID), alias: `ctl/ctl/${ID}` })).to.equal(true);
    expect(isOurs(names, { name: bridgeName(ID), alias: "" })).to.equal(false);
    expect(isOurs(names, { name: bridgeName(ID), alias: `ctl/ctl-a/${ID}` })).to.equal(false);
    expect(isOurs(names, { name: "docker0", alias: "" })).to.equal(false);
  });
});
