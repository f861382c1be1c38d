import { expect } from "chai";
import { csvFields } from "../../../../cli/values/csv.ts";
import { parseDetachKeys } from "../../../../cli/values/detach-keys.ts";
import { parseDevice } from "../../../../cli/values/device.ts";
import { parseEnvFile, parseLabelFile, resolveVariable } from "../../../../cli/values/environment.ts";
import { parseExtraHost } from "../../../../cli/values/extra-host.ts";
import { parseFilter, toFilters } from "../../../../cli/values/filter.ts";
import { ipVersion } from "../../../../cli/values/ip.ts";
import { toMap } from "../../../../cli/values/key-value.ts";
import { parseNetwork } from "../../../../cli/values/network.ts";
import { parsePlatform } from "../../../../cli/values/platform.ts";
import { parseRestartPolicy } from "../../../../cli/values/restart-policy.ts";
import { parseTail } from "../../../../cli/values/tail.ts";
import { parseUlimit } from "../../../../cli/values/ulimit.ts";
import { parseCpus } from "../../../../cli/values/units/cpus.ts";
import { parseDuration } from "../../../../cli/values/units/duration.ts";
import { parseSize, parseSizeOrUnlimited } from "../../../../cli/values/units/size.ts";
import { parseTime } from "../../../../cli/values/units/time.ts";
import { refused } from "./refused.ts";

describe("the flags' grammars", () => {
  it("read sizes in powers of 1024", () => {
    expect(["512m", "1.5g", "64KiB", "10", "1 gb", "3b", "2T"].map(parseSize)).to.deep.equal([
      512 << 20,
      1.5 * 2 ** 30,
      65_536,
      10,
      2 ** 30,
      3,
      2 ** 41,
    ]);
    expect(parseSizeOrUnlimited("-1")).to.equal(-1);
    for (const given of ["", "abc", "-5m", "5x", "1..5m", "m"]) refused("SIZE_INVALID", () => parseSize(given));
  });

  it("read Go's durations as nanoseconds", () => {
    expect(["1h30m", "500ms", "1.5s", "0", "2us", "10ns"].map(parseDuration)).to.deep.equal([
      5400e9, 5e8, 15e8, 0, 2000, 10,
    ]);
    for (const given of ["", "5", "1d", "s", "1h 5m"]) refused("DURATION_INVALID", () => parseDuration(given));
  });

  it("read a time as a date, as seconds or as so long ago", () => {
    const now = Date.parse("2026-01-31T12:00:00.500Z");
    expect(parseTime("2026-01-31T10:00:00Z", now)).to.deep.equal({ seconds: 1_769_853_600, nanos: 0 });
    expect(parseTime("2026-01-31T10:00:00.123456789+02:00", now)).to.deep.equal({
      seconds: 1_769_846_400,
      nanos: 123_456_789,
    });
    expect(parseTime("1769853600.25", now)).to.deep.equal({ seconds: 1_769_853_600, nanos: 250_000_000 });
    expect(parseTime("10m", now)).to.deep.equal({ seconds: 1_769_860_200, nanos: 500_000_000 });
    expect(parseTime("2026-01-31", now).seconds).to.equal(new Date(2026, 0, 31).getTime() / 1000);
    for (const given of ["", "yesterday", "2026-13-45"]) refused("TIME_INVALID", () => parseTime(given, now));
  });

  it("read restart policies, with a count only where it means something", () => {
    expect(parseRestartPolicy("on-failure:3")).to.deep.equal({ mode: "on-failure", maxRetries: 3 });
    expect(parseRestartPolicy("unless-stopped")).to.deep.equal({ mode: "unless-stopped", maxRetries: 0 });
    expect(parseRestartPolicy("").mode).to.equal("no");
    for (const given of ["sometimes", "always:3", "on-failure:x", "on-failure:1:2", "on-failure:-1"])
      refused("RESTART_POLICY_INVALID", () => parseRestartPolicy(given));
  });

  it("read ulimits, the soft one not above the hard one", () => {
    expect(parseUlimit("nofile=1024:2048")).to.deep.equal({ name: "nofile", soft: 1024, hard: 2048 });
    expect(parseUlimit("core=unlimited")).to.deep.equal({ name: "core", soft: -1, hard: -1 });
    for (const given of ["nofile", "nofile=2:1", "nothing=1", "nofile=-1:5", "nofile=a"])
      refused("ULIMIT_INVALID", () => parseUlimit(given));
  });

  it("take variables from here, and leave out what is not here", () => {
    expect(resolveVariable("A=b=c", {})).to.deep.equal(["A=b=c"]);
    expect(resolveVariable("HERE", { HERE: "yes" })).to.deep.equal(["HERE=yes"]);
    expect(resolveVariable("GONE", {})).to.deep.equal([]);
    refused("ENV_INVALID", () => resolveVariable("=x", {}));
  });

  it("read files of variables and labels with comments, blank lines and a byte order mark", () => {
    const content = "\uFEFF# first\n\n  A=1 # kept\r\nHERE\nGONE\nEMPTY=\n";
    expect(parseEnvFile(content, { HERE: "x" })).to.deep.equal(["A=1 # kept", "HERE=x", "EMPTY="]);
    expect(refused("ENV_INVALID", () => parseEnvFile("A B=1", {})).why).to.include("contains whitespaces");
    expect(parseLabelFile("# no\na=b\nc\n")).to.deep.equal(["a=b", "c"]);
    refused("LABEL_INVALID", () => parseLabelFile("a b=c"));
  });

  it("group filters by key", () => {
    expect(toFilters(["status=running", "label=a=b", "status=exited"].map(parseFilter))).to.deep.equal([
      { key: "status", values: ["running", "exited"] },
      { key: "label", values: ["a=b"] },
    ]);
    refused("FILTER_INVALID", () => parseFilter("running"));
  });

  it("read devices with their own path and permissions", () => {
    const fuse = { kind: "node", hostPath: "/dev/fuse", containerPath: "/dev/fuse" };
    expect(parseDevice("/dev/fuse")).to.deep.equal({ ...fuse, permissions: "rwm" });
    expect(parseDevice("/dev/fuse:r")).to.deep.equal({ ...fuse, permissions: "r" });
    expect(parseDevice("/dev/fuse:/dev/x:rw")).to.deep.equal({ ...fuse, containerPath: "/dev/x", permissions: "rw" });
    expect(parseDevice("vendor.com/net=eth0")).to.deep.equal({ kind: "cdi", name: "vendor.com/net=eth0" });
    for (const given of ["fuse", "/dev/a:/dev/b:rx", "/dev/a:/b:r:w", "vendor.com/net", "vendor.com/=a"])
      refused("DEVICE_INVALID", () => parseDevice(given));
  });

  it("read more hosts, by either separator, IPv6 with or without brackets", () => {
    expect(
      ["db:10.0.0.5", "db=10.0.0.5", "six:::1", "six=[::1]", "host:host-gateway"].map(parseExtraHost),
    ).to.deep.equal(["db:10.0.0.5", "db:10.0.0.5", "six:::1", "six:::1", "host:host-gateway"]);
    for (const given of ["db", "db:nowhere", ":1.2.3.4"]) refused("EXTRA_HOST_INVALID", () => parseExtraHost(given));
  });

  it("read networks by name and in the long form", () => {
    const nothing = { aliases: [], ipv4Address: "", ipv6Address: "", macAddress: "", gwPriority: 0, driverOptions: {} };
    const plain = { network: "mine", ...nothing };
    expect(parseNetwork("mine")).to.deep.equal(plain);
    expect(parseNetwork("default").network).to.equal("bridge");
    const long = "name=mine,alias=a,alias=b,ip=10.0.0.5,ip6=fd00::5,mac-address=02:00:00:00:00:01,gw-priority=-2";
    expect(parseNetwork(`${long},driver-opt=a=b=c,driver-opt=d=`)).to.deep.equal({
      network: "mine",
      aliases: ["a", "b"],
      ipv4Address: "10.0.0.5",
      ipv6Address: "fd00::5",
      macAddress: "02:00:00:00:00:01",
      gwPriority: -2,
      driverOptions: { a: "b=c", d: "" },
    });
    for (const given of [
      "",
      "alias=x",
      "name=a,speed=fast",
      "name=a,gw-priority=x",
      "name=a,link-local-ip=169.254.1.1",
    ])
      refused("NETWORK_INVALID", () => parseNetwork(given));
  });

  it("read the rest of Docker's small syntaxes", () => {
    expect([parseCpus("1.5"), parseCpus(".5"), parseCpus("2")]).to.deep.equal([15e8, 5e8, 2e9]);
    refused("CPUS_INVALID", () => parseCpus("two"));
    expect([parseTail("10"), parseTail("all")]).to.deep.equal([10, undefined]);
    refused("TAIL_INVALID", () => parseTail("some"));
    expect(parsePlatform("linux/arm/v7")).to.deep.equal({ os: "linux", architecture: "arm", variant: "v7" });
    expect(parsePlatform("arm64")).to.deep.equal({ os: "linux", architecture: "arm64", variant: "" });
    refused("PLATFORM_INVALID", () => parsePlatform("a/b/c/d"));
    expect([...parseDetachKeys("ctrl-p,ctrl-q,x,ctrl-]")]).to.deep.equal([16, 17, 120, 29]);
    refused("DETACH_KEYS_INVALID", () => parseDetachKeys("ctrl-"));
    expect(toMap(["a=1", "b", "a=2", "c=x=y"])).to.deep.equal({ a: "2", b: "", c: "x=y" });
    expect(csvFields('a=1,"b=2,3","say ""hi""",')).to.deep.equal(["a=1", "b=2,3", 'say "hi"', ""]);
    refused("CSV_INVALID", () => csvFields('a"b'));
    expect(["10.0.0.1", "::1", "fe80::1", "256.1.1.1", "1.2.3", "abc", "01.2.3.4"].map(ipVersion)).to.deep.equal([
      4, 6, 6, 0, 0, 0, 0,
    ]);
  });
});
