import { expect } from "chai";
import { parseBpsDevice, parseIopsDevice, parseWeightDevice } from "../../../../cli/values/block-device.ts";
import { parseDeviceRule } from "../../../../cli/values/device.ts";
import { parseDnsSearch, parseDnsServer } from "../../../../cli/values/dns.ts";
import { parseGpus } from "../../../../cli/values/gpus.ts";
import { parseLink } from "../../../../cli/values/link.ts";
import { refused } from "./refused.ts";

describe("limits of single devices", () => {
  it("are a path and a weight, bytes or operations a second", () => {
    expect(parseWeightDevice("/dev/sda:200")).to.deep.equal({ path: "/dev/sda", value: 200 });
    expect(parseBpsDevice("/dev/sda:1mb")).to.deep.equal({ path: "/dev/sda", value: 1 << 20 });
    expect(parseIopsDevice("/dev/sda:1000")).to.deep.equal({ path: "/dev/sda", value: 1000 });
  });

  it("are refused with Docker's words", () => {
    const why = (parse: (given: string) => unknown, given: string) =>
      refused("DEVICE_LIMIT_INVALID", () => parse(given)).why;
    expect(why(parseWeightDevice, "/dev/sda")).to.equal("bad format: /dev/sda");
    expect(why(parseWeightDevice, "sda:100")).to.equal("bad format for device path: sda:100");
    for (const weight of ["5", "1001", "x", "-1"]) {
      expect(why(parseWeightDevice, `/dev/sda:${weight}`)).to.include("invalid weight for device");
    }
    expect(why(parseBpsDevice, "/dev/sda:fast")).to.include("invalid rate for device");
    expect(why(parseIopsDevice, "/dev/sda:1mb")).to.include("Number must be a positive integer");
  });
});

describe("rules of the devices cgroup", () => {
  it("are a type, numbers or stars, and accesses", () => {
    for (const rule of ["c 1:3 r", "b 8:* rwm", "a *:* rwm"]) expect(parseDeviceRule(rule)).to.equal(rule);
    for (const rule of ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c a:b r"]) {
      refused("DEVICE_RULE_INVALID", () => parseDeviceRule(rule));
    }
  });
});

describe("requests for GPUs", () => {
  const gpu = { driver: "", count: 0, deviceIds: [], capabilities: ["gpu"], options: {} };

  it("are all, so many, or these", () => {
    expect(parseGpus("all")).to.deep.equal({ ...gpu, count: -1 });
    expect(parseGpus("2")).to.deep.equal({ ...gpu, count: 2 });
    expect(parseGpus("device=0")).to.deep.equal({ ...gpu, deviceIds: ["0"] });
    expect(parseGpus('"device=0,2"')).to.deep.equal({ ...gpu, deviceIds: ["0", "2"] });
    expect(parseGpus('driver=nvidia,"capabilities=compute,utility",count=1')).to.deep.equal({
      ...{ ...gpu, driver: "nvidia", count: 1, capabilities: ["compute", "utility", "gpu"] },
    });
  });

  it("are refused with Docker's words", () => {
    const why = (given: string) => refused("GPUS_INVALID", () => parseGpus(given)).why;
    expect(why("some")).to.equal('invalid count (some): value must be either "all" or an integer');
    expect(why("count=1,device=0")).to.equal("cannot set both Count and DeviceIDs on device request");
    expect(why("count=1,count=2")).to.equal("gpu request key 'count' can be specified only once");
    expect(why("colour=red")).to.equal("unexpected key 'colour' in 'colour=red'");
  });
});

describe("names of other hosts", () => {
  it("are links with an alias, the container's own name being the usual one", () => {
    expect(["db", "db:sql", "/db:/web/sql"].map((given) => parseLink(given.replace(/^\//, "")))).to.deep.equal([
      "db:db",
      "db:sql",
      "db:sql",
    ]);
    for (const given of ["", "a:", "a:b:c"]) refused("LINK_INVALID", () => parseLink(given));
  });

  it("come from DNS servers by address, and search domains", () => {
    expect([" 1.1.1.1", "::1"].map(parseDnsServer)).to.deep.equal(["1.1.1.1", "::1"]);
    expect(["example.com", ".", "a_b.lan"].map(parseDnsSearch)).to.deep.equal(["example.com", ".", "a_b.lan"]);
    for (const given of ["dns.example.com", "1.1.1"]) refused("DNS_INVALID", () => parseDnsServer(given));
    for (const given of ["", "-a", "a b", "1.2"]) refused("DNS_INVALID", () => parseDnsSearch(given));
  });
});
