import { expect } from "chai";
import { IpamPool, ListNetworksRequest } from "#proto/ctl/networks/v1/networks.ts";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { rejection } from "../../lab/rejection.ts";
import { acquireRequest, call, type NetworksLab, networkRequest, networksLab, tableOf } from "./networks-lab.ts";

describe("networks", () => {
  it("begin with bridge, host and none, which cannot be removed", async () => {
    await using lab = await networksLab();
    const { networks } = await lab.networks.listNetworks(ListNetworksRequest.create(), call());
    expect(networks.map(({ name, driver, isBuiltIn }) => [name, driver, isBuiltIn])).to.deep.equal([
      ["bridge", "bridge", true],
      ["host", "host", true],
      ["none", "none", true],
    ]);
    expect(networks[0]?.bridge).to.equal(lab.names.defaultBridge);
    expect(networks[0]?.pools[0]?.gateway).to.match(/^172\.\d+\.0\.1$/);
    const error = await rejection(lab.networks.removeNetwork({ ref: "bridge", force: true }, call()));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "NETWORK_BUILT_IN" });
  });

  it("that a person makes have what was asked for, on the host too, and are gone when removed", async () => {
    await using lab = await networksLab();
    const made = await create(lab, "back", {
      pools: [{ subnet: "10.77.0.0/24", ipRange: "10.77.0.128/25", gateway: "10.77.0.254" }],
      isInternal: true,
      labels: { tier: "db" },
      options: {
        "com.docker.network.bridge.name": `${lab.names.vethPrefix}br`,
        "com.docker.network.driver.mtu": "1400",
      },
    });
    expect(made.pools).to.deep.equal([
      IpamPool.fromPartial({ subnet: "10.77.0.0/24", ipRange: "10.77.0.128/25", gateway: "10.77.0.254" }),
    ]);
    const link = await ip("-br", "address", "show", made.bridge);
    expect(link).to.include("10.77.0.254/24");
    expect(await ip("link", "show", made.bridge)).to.include("mtu 1400");
    expect((await tableOf(lab.names)).bridges.find(({ name }) => name === made.bridge)?.isInternal).to.equal(true);
    const { network } = await lab.networks.inspectNetwork({ ref: made.id.slice(0, 9) }, call());
    expect(network).to.deep.equal(made);
    expect(await lab.networks.removeNetwork({ ref: "back", force: false }, call())).to.deep.equal({ id: made.id });
    expect(await ip("-br", "link")).not.to.include(made.bridge);
    expect((await tableOf(lab.names)).bridges.map(({ name }) => name)).to.deep.equal([lab.names.defaultBridge]);
    const error = await rejection(lab.networks.removeNetwork({ ref: "back", force: false }, call()));
    expect(error).to.include({ code: "NOT_FOUND", reason: "NETWORK_NOT_FOUND" });
    expect(await lab.networks.removeNetwork({ ref: "back", force: true }, call())).to.deep.equal({ id: "" });
  });

  it("get subnets that overlap neither one another nor the host's routes, when many are made at once", async () => {
    await using lab = await networksLab();
    await ip("link", "add", "wan", "type", "veth", "peer", "name", "wan2");
    await ip("link", "set", "wan", "up");
    await ip("route", "add", "172.19.0.0/16", "dev", "wan");
    const made = await Promise.all(Array.from({ length: 8 }, (_, i) => create(lab, `n${i}`)));
    await ip("link", "delete", "wan");
    const subnets = made.map(({ pools }) => pools[0]?.subnet);
    expect(new Set(subnets).size).to.equal(8);
    expect(subnets).not.to.include("172.19.0.0/16");
  });

  it("of two instances on one host never have the same subnet", async () => {
    const [one, other] = await Promise.all([networksLab(), networksLab()]);
    await using _one = one;
    await using _other = other;
    const subnets = await Promise.all(
      [one, other].map(async (lab) => (await lab.networks.inspectNetwork({ ref: "bridge" }, call())).network?.pools),
    );
    expect(subnets[0]).not.to.deep.equal(subnets[1]);
  });

  it("are refused with a name, a subnet or a link that another one has, and leave nothing", async () => {
    await using lab = await networksLab();
    await create(lab, "back", { pools: [{ subnet: "10.77.0.0/16" }] });
    expect(await rejection(create(lab, "back"))).to.include({ code: "ALREADY_EXISTS", reason: "NETWORK_NAME_IN_USE" });
    const overlap = await rejection(create(lab, "other", { pools: [{ subnet: "10.77.3.0/24" }] }));
    expect(overlap).to.include({ code: "FAILED_PRECONDITION", reason: "SUBNET_IN_USE" });
    await ip("link", "add", "foreign", "type", "veth", "peer", "name", "foreign2");
    const options = { "com.docker.network.bridge.name": "foreign" };
    const taken = await rejection(create(lab, "other", { options }));
    await ip("link", "delete", "foreign");
    expect(taken).to.include({ code: "FAILED_PRECONDITION", reason: "LINK_NAME_IN_USE" });
    expect(await names(lab)).to.deep.equal(["back", "bridge", "host", "none"]);
  });

  it("are refused when what is asked for is wrong or not supported, saying what", async () => {
    await using lab = await networksLab();
    const wrong: [Parameters<typeof networkRequest>[1], string][] = [
      [{ name: "-x" }, "NETWORK_NAME_INVALID"],
      [{ name: "host" }, "NETWORK_NAME_INVALID"],
      [{ driver: "host" }, "NETWORK_DRIVER_INVALID"],
      [{ driver: "macvlan" }, "NETWORK_DRIVER_UNSUPPORTED"],
      [{ driver: "banana" }, "NETWORK_DRIVER_NOT_FOUND"],
      [{ options: { "com.docker.network.bridge.enable_icc": "maybe" } }, "NETWORK_OPTION_INVALID"],
      [{ options: { "com.docker.network.bridge.host_binding_ipv4": "here" } }, "NETWORK_OPTION_INVALID"],
      [{ options: { "com.docker.network.bridge.gateway_mode_ipv4": "bridged" } }, "NETWORK_OPTION_INVALID"],
      [{ options: { "com.docker.network.bridge.gateway_mode_ipv6": "isolated" } }, "NETWORK_OPTION_INVALID"],
      [{ options: { "com.docker.network.container_iface_prefix": "far too long" } }, "NETWORK_OPTION_INVALID"],
      [{ pools: [{ subnet: "10.1.0.1/16" }] }, "SUBNET_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/16", gateway: "10.2.0.1" }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/16", ipRange: "10.2.0.0/24" }] }, "IPAM_INVALID"],
      [{ pools: [{ gateway: "10.1.0.1" }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/31" }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/16" }, { subnet: "10.2.0.0/16" }] }, "SEVERAL_SUBNETS_UNSUPPORTED"],
      [{ pools: [{ subnet: "fd00:1::/64" }, { subnet: "fd00:2::/64" }] }, "SEVERAL_SUBNETS_UNSUPPORTED"],
      [{ pools: [{ subnet: "10.1.0.0/16" }, { subnet: "10.1.3.0/24" }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/24", auxAddresses: { nas: "10.2.0.9" } }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.9", auxAddresses: { nas: "10.1.0.9" } }] }, "IPAM_INVALID"],
      [{ pools: [{ subnet: "fd00::/127" }] }, "IPAM_INVALID"],
      [{ enableIpv4: false }, "IPAM_INVALID"],
      [{ enableIpv4: false, enableIpv6: true, pools: [{ subnet: "10.1.0.0/16" }] }, "IPAM_INVALID"],
    ];
    for (const [request, reason] of wrong) {
      const error = await rejection(lab.networks.createNetwork(networkRequest("x", request), call()));
      expect(error, JSON.stringify(request)).to.include({ reason });
    }
    expect(await names(lab)).to.deep.equal(["bridge", "host", "none"]);
  });

  it("are not removed while a container is on them, running or stopped", async () => {
    await using lab = await networksLab();
    await create(lab, "back");
    await lab.networks.acquire(acquireRequest("web", { endpoints: [{ network: "back" }] }), call());
    const { network } = await lab.networks.inspectNetwork({ ref: "back" }, call());
    expect(network?.endpoints.map(({ holderName }) => holderName)).to.deep.equal(["web"]);
    const inUse = await rejection(lab.networks.removeNetwork({ ref: "back", force: false }, call()));
    expect(inUse).to.include({ code: "FAILED_PRECONDITION", reason: "NETWORK_IN_USE" });
    expect((inUse as Error).message).to.include("web");
    await lab.networks.deactivate({ holder: "web" }, call());
    const stopped = await lab.networks.inspectNetwork({ ref: "back" }, call());
    expect(stopped.network?.endpoints).to.deep.equal([]);
    expect(await rejection(lab.networks.removeNetwork({ ref: "back", force: false }, call()))).to.include({
      reason: "NETWORK_IN_USE",
    });
    await lab.networks.release({ holder: "web" }, call());
    await lab.networks.removeNetwork({ ref: "back", force: false }, call());
  });

  it("are listed by what they are asked for, page by page", async () => {
    await using lab = await networksLab();
    const back = await create(lab, "back", { labels: { tier: "db" } });
    await create(lab, "front");
    await lab.networks.acquire(acquireRequest("web", { endpoints: [{ network: "front" }] }), call());
    const filtered = (key: string, ...values: string[]) => names(lab, [{ key, values }]);
    expect(await filtered("driver", "null", "host")).to.deep.equal(["host", "none"]);
    expect(await filtered("name", "^b")).to.deep.equal(["back", "bridge"]);
    expect(await filtered("label", "tier=db")).to.deep.equal(["back"]);
    expect(await filtered("type", "custom")).to.deep.equal(["back", "front"]);
    expect(await filtered("dangling", "true")).to.deep.equal(["back"]);
    expect(await filtered("id", back.id.slice(0, 20))).to.deep.equal(["back"]);
    expect(await filtered("scope", "swarm")).to.deep.equal([]);
    const page = await lab.networks.listNetworks({ filters: [], pageSize: 3, pageToken: "" }, call());
    const rest = await lab.networks.listNetworks({ filters: [], pageSize: 3, pageToken: page.nextPageToken }, call());
    expect([...page.networks, ...rest.networks].map(({ name }) => name)).to.deep.equal(await names(lab));
    expect(await rejection(filtered("color", "red"))).to.include({ reason: "FILTER_UNKNOWN" });
    expect(await rejection(filtered("name", "(?<a>x)\\k<a>"))).to.include({ reason: "FILTER_VALUE_INVALID" });
  });
});

async function create(lab: NetworksLab, name: string, more: Parameters<typeof networkRequest>[1] = {}) {
  const { network } = await lab.networks.createNetwork(networkRequest(name, more), call());
  if (network === undefined) throw new Error("no network in the answer");
  return network;
}

async function names(lab: NetworksLab, filters: { key: string; values: string[] }[] = []): Promise<string[]> {
  const { networks } = await lab.networks.listNetworks({ filters, pageSize: 0, pageToken: "" }, call());
  return networks.map(({ name }) => name);
}

async function ip(...args: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await runCommand("ip", args, {
    signal: deadline(5_000, `ip ${args.join(" ")}`),
  });
  if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  return stdout;
}
