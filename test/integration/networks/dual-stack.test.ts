import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { inParallel } from "../../../services/kit/parallel.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { acquireRequest, call, type NetworksLab, networkRequest, networksLab, tableOf } from "./networks-lab.ts";

describe("a network with IPv6", () => {
  it("gets a unique local subnet of this node's own prefix, which differs from network to network", async () => {
    await using lab = await networksLab();
    const one = await create(lab, "one", { enableIpv6: true });
    const other = await create(lab, "other", { enableIpv6: true });
    expect(one).to.include({ hasIpv4: true, hasIpv6: true });
    const subnets = [one, other].map(({ pools }) => pools[1]?.subnet ?? "");
    expect(subnets[0]).to.match(/^fd[0-9a-f:]+::\/64$/);
    expect(subnets[0]).not.to.equal(subnets[1]);
    const prefixes = subnets.map((subnet) => subnet.split(":").slice(0, 3).join(":"));
    expect(prefixes[0]).to.equal(prefixes[1]);
    expect(one.pools[1]?.gateway).to.equal(subnets[0]?.replace("/64", "1"));
    expect(await ip("-6", "address", "show", one.bridge)).to.include(one.pools[1]?.gateway);
  });

  it("alone gives no IPv4 address", async () => {
    await using lab = await networksLab();
    const six = await create(lab, "six", { enableIpv4: false, enableIpv6: true });
    expect(six).to.include({ hasIpv4: false, hasIpv6: true });
    const acquired = await acquire(lab, "web", { endpoints: [{ network: "six" }] });
    expect(acquired.endpoints[0]).to.include({ ipv4Address: "", gateway: "", ipv6Prefix: 64 });
    expect(await inside(acquired.netnsPath, "ip", "-4", "route")).to.equal("");
  });

  it("leaves pools of IPv6 out where it is turned off", async () => {
    await using lab = await networksLab();
    const pools = [{ subnet: "10.77.0.0/24" }, { subnet: "fd00:77::/64" }];
    expect((await create(lab, "four", { enableIpv6: false, pools })).pools).to.have.length(1);
    expect((await create(lab, "both", { pools: [{ subnet: "fd00:77::/64" }] })).pools).to.have.length(2);
  });

  it("gives a container addresses of both families at once, routes, and no doubt about them", async () => {
    await using lab = await networksLab();
    const pools = [
      { subnet: "10.77.0.0/24", auxAddresses: { nas: "10.77.0.2" } },
      { subnet: "fd00:77::/64", auxAddresses: { nas: "fd00:77::2" } },
    ];
    await create(lab, "both", { pools });
    const web = await acquire(lab, "web", { endpoints: [{ network: "both" }] });
    expect(web.endpoints[0]).to.include({
      ...{ ipv4Address: "10.77.0.3", gateway: "10.77.0.1" },
      ...{ ipv6Address: "fd00:77::3", ipv6Prefix: 64, ipv6Gateway: "fd00:77::1" },
    });
    const addresses = await inside(web.netnsPath, "ip", "-6", "address", "show", "dev", "eth0");
    expect(addresses).to.include("fd00:77::3/64").and.not.to.include("tentative");
    expect(await inside(web.netnsPath, "ip", "-6", "route")).to.include("default via fd00:77::1 dev eth0");
    await using agent = await startAgent(web.netnsPath);
    expect(await agent.call("tcp", "fd00:77::1", 9, { timeoutMs: 10_000 })).to.equal("ECONNREFUSED");
  });

  it("gives the address that is asked for, once, and none that is not its own", async () => {
    await using lab = await networksLab();
    await create(lab, "both", { pools: [{ subnet: "10.77.0.0/24" }, { subnet: "fd00:77::/64" }] });
    const at = (name: string, ipv6Address: string, network = "both") =>
      acquire(lab, name, { endpoints: [{ network, ipv6Address }] });
    expect((await at("web", "fd00:77:0::0:5")).endpoints[0]?.ipv6Address).to.equal("fd00:77::5");
    expect(await rejection(at("b", "fd00:77::5"))).to.include({ code: "ALREADY_EXISTS", reason: "ADDRESS_IN_USE" });
    expect(await rejection(at("c", "fd00:77::1"))).to.include({ reason: "ADDRESS_OUTSIDE" });
    expect(await rejection(at("d", "fd00:78::5"))).to.include({ reason: "ADDRESS_OUTSIDE" });
    expect(await rejection(at("e", "10.77.0.9"))).to.include({ reason: "ADDRESS_INVALID" });
    expect(await rejection(at("f", "fd00:77::5", "bridge"))).to.include({ reason: "ADDRESS_OUTSIDE" });
  });

  it("keeps both addresses over a stop, and gives different ones to many at once", async () => {
    await using lab = await networksLab();
    await create(lab, "both", { pools: [{ subnet: "10.77.0.0/24" }, { subnet: "fd00:77::/64" }] });
    const endpoints = [{ network: "both" }];
    const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const given = await inParallel(names, (name) => acquire(lab, name, { endpoints }), deadline(60_000, "acquire"), 8);
    const all = given.map((one) => one.endpoints[0]?.ipv6Address);
    expect(new Set(all).size).to.equal(20);
    await lab.networks.deactivate({ holder: "c0" }, call());
    const again = await acquire(lab, "c0", { endpoints, holder: { holder: "c0", operation: "again" } });
    expect(again.endpoints[0]).to.include({
      ipv4Address: given[0]?.endpoints[0]?.ipv4Address,
      ipv6Address: given[0]?.endpoints[0]?.ipv6Address,
    });
  });

  it("beside one without: each interface has what its network has", async () => {
    await using lab = await networksLab();
    await create(lab, "both", { enableIpv6: true });
    const web = await acquire(lab, "web", { endpoints: [{ network: "bridge" }, { network: "both" }] });
    expect(await inside(web.netnsPath, "ip", "-6", "address", "show", "dev", "eth0")).to.equal("");
    expect(await inside(web.netnsPath, "ip", "-6", "address", "show", "dev", "eth1")).to.include(
      web.endpoints[1]?.ipv6Address,
    );
    expect(await inside(web.netnsPath, "ip", "-4", "route")).to.include("dev eth0");
    expect(await inside(web.netnsPath, "ip", "-6", "route")).to.match(/default via \S+ dev eth1/);
  });

  it("publishes a port of its containers for both families, the same random one", async () => {
    await using lab = await networksLab();
    await create(lab, "both", { pools: [{ subnet: "10.77.0.0/24" }, { subnet: "fd00:77::/64" }] });
    const ports = [
      { containerPort: 80 },
      { containerPort: 81, hostIp: "0.0.0.0" },
      { containerPort: 82, hostIp: "::" },
    ];
    const web = await acquire(lab, "web", { endpoints: [{ network: "both" }], ports });
    expect(web.ports.map(({ containerPort, hostIp }) => [containerPort, hostIp])).to.deep.equal([
      [80, ""],
      [80, "::"],
      [81, ""],
      [82, "::"],
    ]);
    expect(web.ports[0]?.hostPort).to.equal(web.ports[1]?.hostPort);
    const mapped = (await tableOf(lab.names)).ports.map(({ address, containerPort }) => `${address} ${containerPort}`);
    expect(mapped.sort()).to.deep.equal(["10.77.0.2 80", "10.77.0.2 81", "fd00:77::2 80", "fd00:77::2 82"]);
    const taken = await rejection(
      acquire(lab, "other", {
        endpoints: [{ network: "both" }],
        ports: [{ containerPort: 80, hostIp: "::", hostPort: web.ports[0]?.hostPort ?? 0 }],
      }),
    );
    expect(taken).to.include({ reason: "PORT_ALREADY_PUBLISHED" });
  });

  it("is refused a subnet that would hide what the host's links lead to", async () => {
    await using lab = await networksLab();
    await ip("link", "add", "wan", "type", "veth", "peer", "name", "wan2");
    await ip("link", "set", "wan", "up");
    await ip("link", "set", "wan2", "up");
    try {
      await ip("address", "add", "10.66.0.1/16", "dev", "wan");
      await ip("address", "add", "fd00:66::1/64", "dev", "wan", "nodad");
      await ip("route", "add", "10.64.0.0/16", "via", "10.66.0.2");
      for (const subnet of ["10.66.3.0/24", "10.64.0.0/14", "10.64.0.0/16", "fd00:66::/48"]) {
        const error = await rejection(create(lab, "hiding", { pools: [{ subnet }] }));
        expect(error, subnet).to.include({ code: "FAILED_PRECONDITION", reason: "SUBNET_IN_USE" });
      }
      // a part of what a router leads to
      await create(lab, "beside", { pools: [{ subnet: "10.64.3.0/24" }] });
    } finally {
      await ip("link", "delete", "wan");
    }
  });
});

async function create(lab: NetworksLab, name: string, more: Parameters<typeof networkRequest>[1] = {}) {
  const { network } = await lab.networks.createNetwork(networkRequest(name, more), call());
  if (network === undefined) throw new Error("no network in the answer");
  return network;
}

async function acquire(lab: NetworksLab, name: string, more: Parameters<typeof acquireRequest>[1]) {
  return await lab.networks.acquire(acquireRequest(name, more), call());
}

async function inside(netnsPath: string, ...args: string[]): Promise<string> {
  return await output("nsenter", [`--net=${netnsPath}`, "--", ...args]);
}

async function ip(...args: string[]): Promise<string> {
  return await output("ip", args);
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const what = `${program} ${args.join(" ")}`;
  const { stdout, stderr, exitCode } = await runCommand(program, args, { signal: deadline(10_000, what) });
  if (exitCode !== 0) throw new Error(`${what}: ${stderr}${stdout}`);
  return stdout;
}
