import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { forwardingState, turnOnForwarding } from "../../../services/networks/drivers/forwarding.ts";
import { writeSysctls } from "../../../services/networks/sandbox/sysctls.ts";
import { type SecondHost, secondHost } from "../../lab/namespace.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { refuseRealHost, testHost } from "./host.ts";

const SUBNET = { subnet: "172.30.0.0/16", gateway: "172.30.0.1" };

describe("a bridge network", () => {
  before(refuseRealHost);

  it("has its gateway's address and a MAC of its own that never changes", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    const before = await linkOf(host, network.bridge);
    await host.container([[network, "172.30.0.2"]]);
    const after = await linkOf(host, network.bridge);
    expect(before).to.include({ kind: "bridge", isUp: true, alias: `${host.names.aliasPrefix}${network.id}` });
    expect(before?.mac).to.match(/^02:42:/);
    expect(after?.mac).to.equal(before?.mac);
    expect(await ip("-br", "address", "show", network.bridge)).to.include("172.30.0.1/16");
    expect((await readFile(`/proc/sys/net/ipv4/conf/${network.bridge}/route_localnet`, "utf8")).trim()).to.equal("1");
  });

  it("is mended: address, state and rules come back when it is made sure of again", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    await ip("address", "flush", "dev", network.bridge);
    await ip("address", "add", "10.1.1.1/24", "dev", network.bridge);
    await ip("link", "set", network.bridge, "down");
    await host.driver.ensure(network);
    const state = await ip("-br", "address", "show", network.bridge);
    expect(state).to.include("172.30.0.1/16").and.not.to.include("10.1.1.1");
    expect((await linkOf(host, network.bridge))?.isUp).to.equal(true);
  });

  it("does not take over a link that somebody else made, nor removes it", async () => {
    await using host = await testHost();
    await ip("link", "add", "br-foreign", "type", "bridge");
    const network = {
      id: "f".repeat(64),
      bridge: "br-foreign",
      pools: [SUBNET],
      isInternal: false,
      isMasqueraded: true,
    };
    const error = await rejection(host.driver.ensure(network));
    await host.driver.remove(network);
    const isThere = (await linkOf(host, "br-foreign")) !== undefined;
    await ip("link", "delete", "br-foreign");
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "LINK_NAME_IN_USE" });
    expect(isThere).to.equal(true);
    expect((await host.ruleset.read())?.bridges).to.deep.equal([]);
  });

  it("is gone with its rules when removed, and removing it again changes nothing", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    await host.driver.remove(network);
    await host.driver.remove(network);
    expect(await linkOf(host, network.bridge)).to.equal(undefined);
    expect((await host.ruleset.read())?.bridges).to.deep.equal([]);
  });

  it("does not make the host a router for its neighbours, where it was none", async () => {
    writeSysctls({ "net/ipv4/ip_forward": "0" });
    await using host = await testHost();
    await using left = await secondHost();
    await using right = await otherHost(left);
    await using there = await startAgent(right.path);
    await using caller = await startAgent(left.path);
    await there.serve("tcp", 80);
    expect(await forwardingState(host.forwardingMarker)).to.deep.equal({ isGuarded: true });
    expect((await readFile("/proc/sys/net/ipv4/ip_forward", "utf8")).trim()).to.equal("1");
    expect(await caller.call("tcp", right.address, 80)).to.equal("silence");
  });

  it("leaves a host that was a router one", async () => {
    writeSysctls({ "net/ipv4/ip_forward": "1" });
    await using host = await testHost();
    await turnOnForwarding(host.forwardingMarker);
    await using left = await secondHost();
    await using right = await otherHost(left);
    await using there = await startAgent(right.path);
    await using caller = await startAgent(left.path);
    await there.serve("tcp", 80);
    expect(await forwardingState(host.forwardingMarker)).to.deep.equal({ isGuarded: false });
    expect(await caller.call("tcp", right.address, 80)).to.equal(left.address);
  });

  it("shows the host's routes, by which subnets are chosen", async () => {
    await using host = await testHost();
    const network = await host.network(SUBNET);
    await ip("route", "add", "10.77.0.0/16", "via", "172.30.0.9");
    const routes = await host.thread.call("listHostRoutes", undefined);
    expect(routes).to.deep.include({ destination: "172.30.0.0/16", linkName: network.bridge, isDirect: true });
    expect(routes).to.deep.include({ destination: "10.77.0.0/16", linkName: network.bridge, isDirect: false });
  });
});

/** Second hosts draw their addresses: one that has drawn the first one's gives it back and draws again. */
async function otherHost(first: SecondHost): Promise<SecondHost> {
  for (;;) {
    const host = await secondHost();
    if (host.address !== first.address) return host;
    await host[Symbol.asyncDispose]();
  }
}

async function linkOf(host: Awaited<ReturnType<typeof testHost>>, name: string) {
  return (await host.thread.call("listLinks", undefined)).find((link) => link.name === name);
}

async function ip(...args: string[]): Promise<string> {
  const result = await runCommand("ip", args, { signal: deadline(5_000, `ip ${args.join(" ")}`) });
  expect(result.exitCode, result.stderr).to.equal(0);
  return result.stdout;
}
