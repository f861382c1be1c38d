import { readdir, readFile } from "node:fs/promises";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import {
  listHostObjects,
  makeSandbox,
  removeSandbox,
  type Sandbox,
  type Veth,
} from "../../../services/networks/sandbox/sandbox.ts";
import { startNetworksThread } from "../../../services/networks/thread/start.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { refuseRealHost, settingsOf, testHost } from "./host.ts";

const SUBNET = { subnet: "172.30.0.0/16", gateway: "172.30.0.1" };

describe("a sandbox", () => {
  before(refuseRealHost);

  it("has loopback, its address, MAC and default route, and Docker's sysctls", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const { netnsPath } = await host.container([[network, "172.30.0.2"]]);
    expect(await inside(netnsPath, "ip", "-br", "address")).to.match(/^lo\s+UNKNOWN\s+127.0.0.1\/8/m);
    expect(await inside(netnsPath, "ip", "-br", "address")).to.match(/^eth0@\w+\s+UP\s+172.30.0.2\/16\s*$/m);
    expect(await inside(netnsPath, "ip", "link", "show", "eth0")).to.include("02:42:ac:1e:00:02");
    expect(await inside(netnsPath, "ip", "route")).to.match(/^default via 172.30.0.1 dev eth0/);
    const sysctls = ["ipv4/ip_unprivileged_port_start", "ipv4/ping_group_range", "ipv6/conf/eth0/disable_ipv6"];
    const values = await inside(netnsPath, "cat", ...sysctls.map((name) => `/proc/sys/net/${name}`));
    expect(values.split(/\s+/).slice(0, 4)).to.deep.equal(["0", "0", "2147483647", "1"]);
  });

  it("leaves the host's own sysctls alone", async () => {
    const before = await readFile("/proc/sys/net/ipv4/ping_group_range", "utf8");
    await using host = await testHost();
    await host.container([[await host.network(SUBNET), "172.30.0.2"]]);
    expect(await readFile("/proc/sys/net/ipv4/ping_group_range", "utf8")).to.equal(before);
    expect((await readFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8")).trim()).to.equal("1024");
  });

  it("can be on several networks, the first with the default route", async () => {
    await using host = await testHost();
    const one = await host.network(SUBNET);
    const two = await host.network({ subnet: "172.31.0.0/16", gateway: "172.31.0.1" });
    const { netnsPath } = await host.container([
      [one, "172.30.0.2"],
      [two, "172.31.0.2"],
    ]);
    const routes = await inside(netnsPath, "ip", "route");
    expect(routes).to.include("default via 172.30.0.1 dev eth0");
    expect(routes).to.include("172.31.0.0/16 dev eth1");
    await using agent = await startAgent(netnsPath);
    await agent.serve("tcp", 80);
    await using here = await startAgent();
    expect(await here.call("tcp", "172.31.0.2", 80)).to.equal("172.31.0.1");
  });

  it("without a network has nothing but loopback", async () => {
    await using host = await testHost();
    const sandbox = await makeSandbox(host);
    const links = await inside(sandbox.netnsPath, "ip", "-br", "link");
    await removeSandbox(host, sandbox);
    expect(links).to.match(/^lo\s+UNKNOWN/);
    expect(links.trim().split("\n")).to.have.length(1);
  });

  it("goes on working when the process that made it is gone, is found again, and can be removed by what is listed", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    await using other = await startNetworksThread({ owner: undefined }, deadline(5_000, "start another thread"));
    const sandbox = await makeSandbox(
      { ...host, thread: other },
      { networkId: "n", bridge: network.bridge, hasIpv6: false },
    );
    await other[Symbol.asyncDispose]();
    const found = await listHostObjects(host);
    expect(found.netnsPaths).to.include(sandbox.netnsPath);
    expect(found.links.map((link) => link.name)).to.include(sandbox.veths[0]?.hostLink);
    expect(await inside(sandbox.netnsPath, "ip", "-br", "link")).to.include("eth0");
    await removeSandbox(host, sandbox);
  });

  it("is removed with all that belongs to it, and removing it again changes nothing", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const sandbox = await makeSandbox(host, { networkId: "n", bridge: network.bridge, hasIpv6: false });
    await removeSandbox(host, sandbox);
    await removeSandbox(host, sandbox);
    const isGone = async () => {
      const { links, netnsPaths } = await listHostObjects(host);
      return !netnsPaths.includes(sandbox.netnsPath) && !links.some((one) => one.name === sandbox.veths[0]?.hostLink);
    };
    await eventually(isGone);
    expect(await readFile("/proc/self/mounts", "utf8")).not.to.include(sandbox.netnsPath);
  });

  it("on a bridge that does not exist is refused, and leaves nothing behind", async () => {
    await using host = await testHost();
    const error = await rejection(makeSandbox(host, { networkId: "n", bridge: "br-nowhere", hasIpv6: false }));
    expect(error).to.include({ code: "UNAVAILABLE", reason: "NETNS_REFUSED" });
    expect(await listHostObjects(host)).to.deep.equal({ netnsPaths: [], links: [] });
  });

  it("gives up an address that cannot be set, saying what the kernel said", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const sandbox = await makeSandbox(host, { networkId: network.id, bridge: network.bridge, hasIpv6: false });
    const settings = { ...settingsOf(network, "172.30.0.2", true), gateways: ["10.99.0.1"] };
    const error = await rejection(host.driver.connect(network, sandbox, vethOf(sandbox), settings));
    await removeSandbox(host, sandbox);
    expect(error).to.include({ code: "UNAVAILABLE", reason: "NETNS_REFUSED" });
    expect((error as Error).message).to.include("the default route through 10.99.0.1 (Nexthop has invalid gateway)");
  });
});

describe("the host thread", () => {
  before(refuseRealHost);

  it("leaves no file open when it is disposed, and then says that it has ended", async () => {
    const openFiles = async () => (await readdir("/proc/self/fd")).length;
    const start = () => startNetworksThread({ owner: undefined }, deadline(5_000, "start the thread"));
    await (await start())[Symbol.asyncDispose]();
    const before = await openFiles();
    const thread = await start();
    await thread.call("listLinks", undefined);
    await thread[Symbol.asyncDispose]();
    await thread[Symbol.asyncDispose]();
    await eventually(async () => (await openFiles()) <= before);
    expect(await rejection(thread.call("listLinks", undefined))).to.include({
      code: "UNAVAILABLE",
      reason: "HOST_THREAD_ENDED",
    });
  });
});

describe("the warm pool", () => {
  before(refuseRealHost);

  it("has sandboxes ready for its networks, refills itself, and is emptied on disposal", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const attachment = { networkId: network.id, bridge: network.bridge, hasIpv6: false };
    host.pool.keep(attachment);
    await eventually(() => host.pool.counts().get(network.id) === 2);
    const taken = await host.pool.take(attachment);
    expect(host.pool.paths()).to.include(taken.netnsPath);
    host.pool.settle(taken);
    expect(host.pool.paths()).not.to.include(taken.netnsPath);
    await eventually(() => host.pool.counts().get(network.id) === 2);
    await removeSandbox(host, taken);
    await host.pool[Symbol.asyncDispose]();
    expect((await listHostObjects(host)).netnsPaths).to.deep.equal([]);
  });

  it("gives more than it holds, and different ones to all who ask at once", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const attachment = { networkId: network.id, bridge: network.bridge, hasIpv6: false };
    host.pool.keep(attachment);
    await eventually(() => host.pool.counts().get(network.id) === 2);
    const taken = await Promise.all(Array.from({ length: 8 }, () => host.pool.take(attachment)));
    expect(new Set(taken.map((sandbox) => sandbox.netnsPath)).size).to.equal(8);
    for (const sandbox of taken) await removeSandbox(host, sandbox);
  });

  it("never holds more than its bound for all networks together", async () => {
    await using host = await testHost();
    for (const third of [18, 19, 20, 21]) {
      const network = await host.network({ subnet: `172.${third}.0.0/16`, gateway: `172.${third}.0.1` });
      host.pool.keep({ networkId: network.id, bridge: network.bridge, hasIpv6: false });
    }
    const total = () => [...host.pool.counts().values()].reduce((sum, count) => sum + count, 0);
    await eventually(() => total() === 6);
    expect([...host.pool.counts().values()].every((count) => count >= 1)).to.equal(true);
  });

  it("has a packet through right after the address is set", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    host.pool.keep({ networkId: network.id, bridge: network.bridge, hasIpv6: false });
    await eventually(() => host.pool.counts().get(network.id) === 2);
    const sandbox = await host.pool.take({ networkId: network.id, bridge: network.bridge, hasIpv6: false });
    await using agent = await startAgent(sandbox.netnsPath);
    await using here = await startAgent();
    await agent.serve("udp", 53);
    await host.driver.connect(network, sandbox, vethOf(sandbox), settingsOf(network, "172.30.0.9", true));
    expect(await here.call("udp", "172.30.0.9", 53, { timeoutMs: 100 })).to.equal("172.30.0.1");
    await removeSandbox(host, sandbox);
  });
});

function vethOf({ veths }: Sandbox): Veth {
  const [veth] = veths;
  if (veth === undefined) throw new Error("the sandbox has no interface");
  return veth;
}

async function inside(netnsPath: string, program: string, ...args: string[]): Promise<string> {
  const signal = deadline(5_000, `run ${program} in the sandbox`);
  const result = await runCommand("nsenter", [`--net=${netnsPath}`, program, ...args], { signal });
  expect(result.exitCode, result.stderr).to.equal(0);
  return result.stdout;
}
