import { createServer } from "node:net";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { secondHost } from "../lab/namespace.ts";
import { sharedEngine } from "./engine.ts";

const PAGE = "Welcome to nginx!";

describe("containers on networks", function () {
  this.timeout(40_000);
  const engine = sharedEngine({ images: ["busybox", "nginx"] });

  it("serve a published port to the host, to its loopback, to another container and to a second host", async () => {
    await using host = await secondHost();
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    expect(await page("http://127.0.0.1:8080/")).to.contain(PAGE);
    expect(await page(`http://${host.hostAddress}:8080/`)).to.contain(PAGE);
    const gateway = await engine.inspect("web", "NetworkSettings.Networks.bridge.Gateway");
    const address = await engine.inspect("web", "NetworkSettings.Networks.bridge.IPAddress");
    const fetched = async (host: unknown, port: number) =>
      await engine.ok("run", "--rm", "busybox", ...get(host, port));
    expect(await fetched(gateway, 8080)).to.contain(PAGE);
    expect(await fetched(address, 80)).to.contain(PAGE);
    expect((await curl(host, `http://${host.hostAddress}:8080/`)).stdout).to.contain(PAGE);
  });

  it("are reached by a second host at the published port and nowhere else", async () => {
    await using host = await secondHost();
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await engine.ok("run", "-d", "--name", "local", "-p", "127.0.0.1:8081:80", "nginx");
    await engine.ok("run", "-d", "--name", "hidden", "nginx");
    await page("http://127.0.0.1:8081/");
    const address = (name: string) => engine.inspect(name, "NetworkSettings.Networks.bridge.IPAddress");
    const refused = [
      `http://${await address("web")}/`,
      `http://${await address("hidden")}/`,
      `http://${host.hostAddress}:8081/`,
      `http://${host.hostAddress}:80/`,
    ];
    for (const url of refused) expect((await reach(host, url)).exitCode, url).to.not.equal(0);
    // and not by way of the host's loopback, which route_localnet would open
    await host.run("ip", ["route", "add", "127.0.0.2/32", "via", host.hostAddress]);
    expect((await reach(host, "http://127.0.0.2:8081/")).exitCode).to.not.equal(0);
    expect((await curl(host, `http://${host.hostAddress}:8080/`)).exitCode).to.equal(0);
  });

  it("see a visitor's own address", async () => {
    await using host = await secondHost();
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await curl(host, `http://${host.hostAddress}:8080/from-outside`);
    const line = await eventually(async () => {
      const lines = (await engine.ok("logs", "web")).split("\n");
      return lines.find((one) => one.includes("/from-outside"));
    });
    expect(line.startsWith(host.address), line).to.equal(true);
  });

  it("show their ports in ps and inspect, a random one too", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "127.0.0.1:8080:80/tcp",
      "-p",
      "80",
      "-p",
      "5353:53/udp",
      "nginx",
    );
    const ports = await engine.ok("ps", "--format", "{{.Ports}}");
    expect(ports).to.contain("127.0.0.1:8080->80/tcp").and.to.contain("0.0.0.0:5353->53/udp");
    const bindings = (await engine.inspect("web", "NetworkSettings.Ports")) as Record<string, { HostPort: string }[]>;
    const random = bindings["80/tcp"]?.map(({ HostPort }) => Number(HostPort)).find((port) => port !== 8080);
    expect(random).to.be.within(1024, 65535);
    expect(await page(`http://127.0.0.1:${random}/`)).to.contain(PAGE);
  });

  it("give a port free when they stop, and have it again when they start", async () => {
    await engine.ok("run", "-d", "--name", "web", "-p", "8080:80", "nginx");
    await page("http://127.0.0.1:8080/");
    await engine.ok("stop", "-t", "1", "web");
    await eventually(async () => !(await reaches("http://127.0.0.1:8080/")));
    await engine.ok("start", "web");
    expect(await page("http://127.0.0.1:8080/")).to.contain(PAGE);
  });

  it("keep their address over a restart", async () => {
    await engine.ok("run", "-d", "--name", "first", "busybox", "sleep", "600");
    const before = await engine.inspect("first", "NetworkSettings.Networks.bridge.IPAddress");
    await engine.ok("stop", "-t", "0", "first");
    await engine.ok("run", "-d", "--name", "second", "busybox", "sleep", "600");
    await engine.ok("start", "first");
    expect(await engine.inspect("first", "NetworkSettings.Networks.bridge.IPAddress")).to.equal(before);
    expect(await engine.inspect("second", "NetworkSettings.Networks.bridge.IPAddress")).to.not.equal(before);
  });

  it("are apart on user-defined networks, and together on one", async () => {
    await engine.ok("network", "create", "one", "--subnet", "10.77.1.0/24");
    await engine.ok("network", "create", "two");
    await engine.ok("run", "-d", "--name", "web", "--network", "one", "--ip", "10.77.1.9", "nginx");
    expect(await engine.inspect("web", "NetworkSettings.Networks.one.IPAddress")).to.equal("10.77.1.9");
    const fetched = (network: string) =>
      engine.ctl("run", "--rm", "--network", network, "busybox", ...get("10.77.1.9", 80));
    expect((await fetched("one")).stdout).to.contain(PAGE);
    expect((await fetched("two")).exitCode).to.not.equal(0);
    expect((await fetched("bridge")).exitCode).to.not.equal(0);
  });

  it("have the host's network with host, none with none", async () => {
    const links = async (network: string) =>
      (await engine.ok("run", "--rm", "--network", network, "busybox", "ip", "-o", "link")).split("\n").length;
    expect(await links("none")).to.equal(1);
    expect(await links("host")).to.be.greaterThan(1);
    expect(await engine.ok("run", "--rm", "--network", "host", "-h", "me", "busybox", "hostname")).to.equal("me");
  });

  it("share another container's network, name and files, as long as that runs", async () => {
    await engine.ok("run", "-d", "--name", "owner", "-h", "house", "busybox", "sleep", "600");
    const address = String(await engine.inspect("owner", "NetworkSettings.Networks.bridge.IPAddress"));
    const share = (...args: string[]) => ["run", "--network", "container:owner", ...args];
    await engine.ok(...share("-d", "--name", "guest", "busybox", "sleep", "600"));
    const seen = await engine.ok("exec", "guest", "sh", "-c", "hostname; cat /etc/hosts; ip -4 address show eth0");
    expect(seen.split("\n")[0]).to.equal("house");
    expect(seen)
      .to.match(new RegExp(`${address}\\thouse`))
      .and.to.contain(`inet ${address}/`);
    expect(await engine.inspect("guest", "NetworkSettings.Networks")).to.deep.equal({});
    expect(await engine.inspect("guest", "HostConfig.NetworkMode")).to.equal("container:owner");
    for (const [flag, value] of [
      ["-h", "other"],
      ["-p", "80"],
      ["--expose", "80"],
      ["--dns", "192.0.2.1"],
      ["--add-host", "a:192.0.2.1"],
      ["--ip", "10.0.0.9"],
    ] as const) {
      expect(await engine.fails(125, ...share(flag, value, "busybox", "true")), flag).to.match(/network/);
    }
    expect(await engine.fails(125, "run", "--network", "container:nobody", "busybox", "true")).to.match(/nobody/);
    // a stop takes the network from who shares it until that starts again, as in Docker
    await engine.ok("restart", "-t", "0", "owner");
    expect(await engine.ok("exec", "guest", "hostname")).to.equal("house");
    await engine.ok("restart", "-t", "0", "guest");
    expect(await engine.ok("exec", "guest", "ip", "-4", "address", "show", "eth0")).to.contain(`inet ${address}/`);
    await engine.ok("rm", "-f", "owner");
    expect(await engine.ok("exec", "guest", "hostname")).to.equal("house");
    await engine.ok("stop", "-t", "0", "guest");
    expect(await engine.fails(1, "start", "guest")).to.match(/owner/);
  });

  it("have addresses of both families on a network with IPv6, and names that say so", async () => {
    await using host = await secondHost();
    const id = await engine.ok(
      "network",
      "create",
      "--ipv6",
      "--subnet",
      "fd00:99::/64",
      "--gateway",
      "fd00:99::1",
      "six",
    );
    expect(id).to.match(/^[0-9a-f]{64}$/);
    await engine.ok("run", "-d", "--name", "web", "--network", "six", "--ip6", "fd00:99::9", "-p", "8080:80", "nginx");
    expect(await engine.inspect("web", "NetworkSettings.Networks.six.GlobalIPv6Address")).to.equal("fd00:99::9");
    expect(await engine.inspect("web", "NetworkSettings.Networks.six.IPv6Gateway")).to.equal("fd00:99::1");
    expect(await engine.ok("exec", "web", "cat", "/etc/hosts")).to.contain("fd00:99::9");
    expect(await page("http://127.0.0.1:8080/")).to.contain(PAGE);
    // nginx of the tests listens on IPv4: what comes by IPv6 reaches the container and is refused there, so by a port of its own
    await engine.ok("run", "-d", "--name", "plain", "-p", "8081:80", "nginx");
    expect(await page("http://[::1]:8081/")).to.contain(PAGE);
    expect((await curl(host, `http://[${host.hostAddress6}]:8081/`)).stdout).to.contain(PAGE);
    expect(await engine.ok("ps", "--filter", "name=plain", "--format", "{{.Ports}}")).to.equal(
      "0.0.0.0:8081->80/tcp, [::]:8081->80/tcp",
    );
  });

  it("are listed, inspected and kept from losing their network", async () => {
    expect((await engine.ok("network", "ls", "--format", "{{.Name}} {{.Driver}}")).split("\n").sort()).to.deep.equal([
      "bridge bridge",
      "host host",
      "none null",
    ]);
    const id = await engine.ok("network", "create", "--label", "a=b", "--subnet", "10.78.0.0/24", "mine");
    expect(id).to.match(/^[0-9a-f]{64}$/);
    const [shown] = JSON.parse(await engine.ok("network", "inspect", "mine"));
    expect(shown).to.include({ Name: "mine", Id: id, Driver: "bridge" });
    expect(shown.IPAM.Config[0]).to.include({ Subnet: "10.78.0.0/24" });
    expect(shown.Labels).to.deep.equal({ a: "b" });
    await engine.ok("run", "-d", "--name", "box", "--network", "mine", "busybox", "sleep", "600");
    expect(await engine.fails(1, "network", "rm", "mine")).to.match(/has an address|in use/);
    expect(await engine.fails(1, "network", "create", "mine")).to.match(/mine/);
    await engine.ok("rm", "-f", "box");
    expect(await engine.ok("network", "rm", "mine")).to.equal("mine");
    expect(await engine.fails(1, "network", "inspect", "mine")).to.match(/mine/);
    expect(await engine.fails(1, "network", "rm", "bridge")).to.match(/bridge/);
  });

  describe("refuse a port, undo everything and stay healthy", () => {
    it("that another container publishes", async () => {
      await engine.ok("run", "-d", "--name", "first", "-p", "8080:80", "nginx");
      expect(await engine.fails(125, "run", "-d", "--name", "second", "-p", "8080:80", "nginx")).to.match(/8080/);
      expect(await page("http://127.0.0.1:8080/")).to.contain(PAGE);
      expect(await engine.ok("ps", "-a", "--format", "{{.Names}}")).to.equal("first");
    });

    it("that a program of the host holds", async () => {
      await using server = createServer();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.listen(8082, "0.0.0.0", resolve);
      await promise;
      expect(await engine.fails(125, "run", "-d", "-p", "8082:80", "nginx")).to.match(/8082/);
      expect(await engine.ok("ps", "-aq")).to.equal("");
    });

    it("that is no port", async () => {
      expect(await engine.fails(125, "run", "-d", "-p", "99999:80", "nginx")).to.match(/99999/);
      expect(await engine.fails(125, "run", "-d", "-p", "8080:http", "nginx")).to.match(/http/);
    });
  });
});

/** BusyBox's static wget needs libraries to look a host up, and dies without them; its nc takes an address as it is. */
function get(host: unknown, port: number): string[] {
  return ["sh", "-c", `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${host} ${port}`];
}

/** The page, as soon as the server inside has come up. */
async function page(url: string): Promise<string> {
  return await eventually(async () => {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return await response.text();
  }, 10_000);
}

async function reaches(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}

/** One attempt: a packet that is dropped is waited for in vain. */
async function reach(host: Awaited<ReturnType<typeof secondHost>>, url: string) {
  return await host.run("curl", ["-s", "-m", "1", "--noproxy", "*", url]);
}

async function curl(host: Awaited<ReturnType<typeof secondHost>>, url: string) {
  return await host.run("curl", ["-s", "-m", "2", "--noproxy", "*", "--retry", "2", "--retry-connrefused", url]);
}
