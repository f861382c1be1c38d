import { expect } from "chai";
import { sharedEngine } from "./engine.ts";

describe("a container of several networks", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const { ok } = engine;

  const sleeper = (name: string, ...flags: string[]) =>
    ok("run", "-d", "--name", name, "--stop-timeout", "0", ...flags, "busybox", "sleep", "600");
  const lookUp = async (container: string, name: string) =>
    (await engine.ctl("exec", container, "nslookup", name)).stdout;
  const addressOn = async (name: string, network: string) =>
    String(await engine.inspect(name, `NetworkSettings.Networks.${network}.IPAddress`));
  const routes = (name: string) => ok("exec", name, "ip", "route");

  it("has on each what was asked for there, and its default route where the priority is highest, after a restart too", async () => {
    await ok("network", "create", "--subnet", "10.95.0.0/24", "one");
    await ok("network", "create", "--subnet", "10.95.1.0/24", "two");
    const option = "driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1";
    const two = `name=two,ip=10.95.1.7,alias=second,alias=other,mac-address=02:42:0a:5f:01:63,gw-priority=1,${option}`;
    await sleeper("app", "--network", "one", "--network", two, "--ip", "10.95.0.7", "--network-alias", "first");
    await sleeper("seer", "--network", "one", "--network", "two");
    const check = async () => {
      expect(await addressOn("app", "one")).to.equal("10.95.0.7");
      expect(await ok("exec", "app", "ip", "-o", "addr", "show", "eth1")).to.include("10.95.1.7/24");
      expect(await ok("exec", "app", "cat", "/sys/class/net/eth1/address")).to.equal("02:42:0a:5f:01:63");
      expect(await ok("exec", "app", "cat", "/proc/sys/net/ipv4/conf/eth1/log_martians")).to.equal("1");
      expect(await routes("app")).to.match(/^default via 10\.95\.1\.1 dev eth1/m);
      expect(await routes("seer")).to.match(/^default via 10\.95\.0\.1 dev eth0/m);
      expect(await lookUp("seer", "first")).to.include("10.95.0.7");
      for (const name of ["second", "other", "app.two"])
        expect(await lookUp("seer", name), name).to.include("10.95.1.7");
    };
    await check();
    await ok("restart", "-t", "0", "app");
    await check();
    await ok("stop", "app");
    await ok("start", "app");
    await check();
    const settings = await engine.inspect("app", "NetworkSettings.Networks.two");
    expect(settings).to.deep.include({
      GwPriority: 1,
      Aliases: ["second", "other"],
      IPAMConfig: { IPv4Address: "10.95.1.7" },
    });
  });

  it("knows others by names of its own: --link on a network that a person made", async () => {
    await ok("network", "create", "lan");
    await sleeper("db", "--network", "lan");
    await sleeper("app", "--network", "lan", "--link", "db:store");
    await sleeper("seer", "--network", "lan");
    expect(await lookUp("app", "store")).to.include(await addressOn("db", "lan"));
    expect(await lookUp("seer", "store")).to.not.include(await addressOn("db", "lan"));
    await ok("network", "disconnect", "lan", "seer");
    await ok("network", "connect", "--link", "db:late", "lan", "seer");
    expect(await lookUp("seer", "late")).to.include(await addressOn("db", "lan"));
    // whoever bears the name by then
    await ok("rm", "-f", "db");
    await sleeper("db", "--network", "lan");
    expect(await lookUp("app", "store")).to.include(await addressOn("db", "lan"));
  });

  it("is refused a name on the default network, which knows none", async () => {
    expect(await engine.fails(125, "run", "-d", "--network-alias", "a", "busybox", "true")).to.include(
      "user defined networks",
    );
    expect(await engine.fails(125, "run", "-d", "--network", "name=bridge,gw-priority=x", "busybox")).to.include(
      "gw-priority",
    );
    expect(await engine.fails(125, "run", "-d", "--network", "name=bridge,driver-opt=x", "busybox")).to.include(
      "key=value",
    );
  });
});
