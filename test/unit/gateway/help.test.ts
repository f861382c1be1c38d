import { expect } from "chai";
import { daemonHelp } from "../../../gateway/help.ts";
import { gatewaySettings } from "../../../gateway/settings.ts";

describe("ctld --help", () => {
  it("names every key that a person may set, and no line is too long for a terminal of 160 columns", () => {
    const lines = daemonHelp().split("\n");
    for (const key of Object.keys(gatewaySettings).filter((name) => name !== "allow-private-mount-namespace")) {
      expect(
        lines.some((line) => line.startsWith(`  --${key} `)),
        key,
      ).to.equal(true);
    }
    expect(lines.filter((line) => line.length > 160)).to.deep.equal([]);
    expect(daemonHelp()).not.to.include("undefined");
  });
});
