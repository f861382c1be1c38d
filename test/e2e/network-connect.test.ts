import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const PAGE = "Welcome to nginx!";

describe("a container that is connected and disconnected", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox", "nginx"] });
  const { ok } = engine;

  const sleeper = (name: string, ...flags: string[]) =>
    ok("run", "-d", "--name", name, "--stop-timeout", "0", ...flags, "busybox", "sleep", "600");
  const lookUp = async (container: string, name: string) =>
    (await engine.ctl("exec", container, "nslookup", name)).stdout;
  const networks = async (name: string) =>
    (await engine.inspect(name, "NetworkSettings.Networks")) as Record<string, Record<string, unknown>>;
  const addressOn = async (name: string, network: string) => String((await networks(name))[network]?.["IPAddress"]);
  const defaultRoute = async (name: string) =>
    /^default via (\S+) dev (\S+)/m.exec(await ok("exec", name, "ip", "route"))?.slice(1) ?? [];

  it("has one more interface at once, with its names there, and neither name nor interface afterwards", async () => {
    await ok("network", "create", "lan");
    await ok("network", "create", "--subnet", "10.91.0.0/24", "back");
    await sleeper("app", "--network", "lan");
    await sleeper("neighbour", "--network", "back");
    const before = await defaultRoute("app");
    await ok("network", "connect", "--alias", "store", "--ip", "10.91.0.9", "back", "app");
    expect(await ok("exec", "app", "ip", "-o", "-4", "addr", "show", "eth1")).to.include("10.91.0.9/24");
    expect(await defaultRoute("app")).to.deep.equal(before);
    for (const name of ["app", "store", "app.back"]) expect(await lookUp("neighbour", name)).to.include("10.91.0.9");
    expect(await lookUp("app", "neighbour")).to.include(await addressOn("neighbour", "back"));
    expect(await ok("exec", "app", "cat", "/etc/hosts")).to.match(/^10\.91\.0\.9\t[0-9a-f]{12}$/m);
    expect(await ok("exec", "neighbour", "ping", "-c1", "-W2", "store")).to.include("1 packets received");
    const [shown] = JSON.parse(await ok("network", "inspect", "back"));
    const members = Object.values(shown.Containers as Record<string, { Name: string; IPv4Address: string }>);
    expect(members.find(({ Name }) => Name === "app")?.IPv4Address).to.equal("10.91.0.9/24");
    expect((await networks("app"))["back"]).to.deep.include({ IPAddress: "10.91.0.9", Aliases: ["store"] });

    await ok("network", "disconnect", "back", "app");
    expect((await engine.ctl("exec", "app", "ip", "link", "show", "eth1")).exitCode).to.not.equal(0);
    expect(await lookUp("neighbour", "store")).to.not.include("10.91.0.9");
    expect(await lookUp("app", "neighbour")).to.not.include(await addressOn("neighbour", "back"));
    expect(await ok("exec", "app", "cat", "/etc/hosts")).to.not.include("10.91.0.9");
    expect(Object.keys(await networks("app"))).to.deep.equal(["lan"]);
    expect(await defaultRoute("app")).to.deep.equal(before);
    const events = await ok(
      "events",
      "--since",
      "1h",
      "--until",
      "0s",
      "--filter",
      "network=back",
      "--format",
      "{{.Action}}",
    );
    expect(events.split("\n").slice(-2)).to.deep.equal(["connect", "disconnect"]);
  });

  it("moves its default route and its published ports where the priority says so, and back", async () => {
    await ok("network", "create", "lan");
    await ok("network", "create", "front");
    await ok("run", "-d", "--name", "web", "--stop-timeout", "0", "--network", "lan", "-p", "8080:80", "nginx");
    await ok("network", "connect", "--gw-priority", "1", "front", "web");
    const gateway = async (network: string) => String((await networks("web"))[network]?.["Gateway"]);
    const routed = async () =>
      (await ok("exec", "web", "cat", "/proc/net/route")).split("\n").find((line) => /\t00000000\t/.test(line));
    expect(await routed()).to.match(/^eth1\t/);
    expect(await page()).to.contain(PAGE);
    await ok("network", "disconnect", "front", "web");
    expect(await routed()).to.match(/^eth0\t/);
    expect(await gateway("lan")).to.match(/^\d/);
    expect(await page()).to.contain(PAGE);
  });

  it("without any network has no port, and has it again with the next one", async () => {
    await ok("network", "create", "lan");
    await ok("run", "-d", "--name", "web", "--stop-timeout", "0", "-p", "8080:80", "nginx");
    await ok("network", "disconnect", "bridge", "web");
    expect(await engine.inspect("web", "NetworkSettings.Networks")).to.deep.equal({});
    expect(await engine.inspect("web", "HostConfig.NetworkMode")).to.equal("bridge");
    await eventually(async () => !(await reaches()));
    await ok("stop", "web");
    await ok("start", "web");
    expect(await engine.inspect("web", "NetworkSettings.Networks")).to.deep.equal({});
    await ok("network", "connect", "lan", "web");
    expect(await page()).to.contain(PAGE);
    expect(Object.keys(await networks("web"))).to.deep.equal(["lan"]);
  });

  it("keeps what it was connected to, and its addresses, when it is stopped, started and paused", async () => {
    await ok("network", "create", "one");
    await ok("network", "create", "two");
    await ok("network", "create", "three");
    await sleeper("app", "--network", "one");
    await ok("network", "connect", "two", "app");
    const before = [await addressOn("app", "one"), await addressOn("app", "two")];
    await ok("stop", "app");
    await ok("network", "connect", "--alias", "late", "three", "app");
    await ok("network", "disconnect", "one", "app");
    await ok("start", "app");
    expect(Object.keys(await networks("app"))).to.deep.equal(["three", "two"]);
    expect(await addressOn("app", "two")).to.equal(before[1]);
    await ok("pause", "app");
    await ok("network", "connect", "one", "app");
    await ok("network", "disconnect", "three", "app");
    await ok("unpause", "app");
    expect(Object.keys(await networks("app"))).to.deep.equal(["one", "two"]);
    expect((await ok("exec", "app", "ip", "-o", "-4", "addr")).split("\n")).to.have.length(3);
    await ok("rm", "-f", "app");
    for (const name of ["one", "two", "three"]) await ok("network", "rm", name);
  });

  it("that was never started has its networks when it is started", async () => {
    await ok("network", "create", "one");
    await ok("network", "create", "--subnet", "10.92.0.0/24", "two");
    await ok("create", "--name", "app", "busybox", "sleep", "600");
    await ok("network", "connect", "one", "app");
    await ok("network", "connect", "--ip", "10.92.0.7", "two", "app");
    await ok("network", "disconnect", "bridge", "app");
    expect(await engine.fails(1, "network", "connect", "--ip", "10.93.0.7", "two", "app")).to.include("10.92.0.0/24");
    await ok("start", "app");
    expect(Object.keys(await networks("app"))).to.deep.equal(["one", "two"]);
    expect(await addressOn("app", "two")).to.equal("10.92.0.7");
  });

  it("is refused what cannot be, saying why, and stays as it was", async () => {
    await ok("network", "create", "lan");
    await sleeper("app", "--network", "lan");
    await sleeper("hosted", "--network", "host");
    await sleeper("alone", "--network", "none");
    expect(await engine.fails(1, "network", "connect", "lan", "app")).to.include("already exists in network lan");
    expect(await engine.fails(1, "network", "disconnect", "bridge", "app")).to.include(
      "is not connected to network bridge",
    );
    expect(await engine.fails(1, "network", "connect", "nowhere", "app")).to.include("nowhere");
    expect(await engine.fails(1, "network", "connect", "lan", "nobody")).to.include("nobody");
    expect(await engine.fails(1, "network", "connect", "lan", "hosted")).to.include("host's network");
    expect(await engine.fails(1, "network", "disconnect", "host", "hosted")).to.include("host's network");
    expect(await engine.fails(1, "network", "connect", "lan", "alone")).to.include("none");
    expect(await engine.fails(1, "network", "connect", "host", "app")).to.include("host's network");
    expect(await engine.fails(1, "network", "connect", "--driver-opt", "a=b", "bridge", "app")).to.include("a=b");
    expect(await engine.fails(125, "network", "connect", "--link", "a:b:c", "bridge", "app")).to.include("a:b:c");
    expect(await engine.fails(125, "network", "connect", "--link-local-ip", "169.254.1.1", "bridge", "app")).to.include(
      "link-local",
    );
    expect(Object.keys(await networks("app"))).to.deep.equal(["lan"]);
  });

  it("sets the kernel's parameters of its interface", async () => {
    await ok("network", "create", "lan");
    await sleeper("app");
    const option = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1";
    await ok("network", "connect", "--driver-opt", option, "lan", "app");
    expect(await ok("exec", "app", "cat", "/proc/sys/net/ipv4/conf/eth1/log_martians")).to.equal("1");
    const wrong = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.no_such=1";
    await ok("network", "disconnect", "lan", "app");
    expect(await engine.fails(1, "network", "connect", "--driver-opt", wrong, "lan", "app")).to.include("no_such");
    expect(Object.keys(await networks("app"))).to.deep.equal(["bridge"]);
  });
});

async function page(): Promise<string> {
  return await eventually(async () => {
    const response = await fetch("http://127.0.0.1:8080/", { signal: AbortSignal.timeout(2_000) });
    return await response.text();
  }, 10_000);
}

async function reaches(): Promise<boolean> {
  return await fetch("http://127.0.0.1:8080/", { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}
