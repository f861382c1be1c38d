import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { type SecondHost, secondHost } from "../../lab/namespace.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type Guest, guestOn, publishedPort as port, UNREACHED } from "./guests.ts";
import { call, type NetworksLab, networkRequest, networksLab } from "./networks-lab.ts";

describe("who reaches whom, of both families:", () => {
  const stack = new AsyncDisposableStack();
  let lab: NetworksLab;
  let wire: SecondHost;
  let here: Agent;
  let outside: Agent;
  /** On a network of both families, with published ports. */
  let web: Guest;
  let neighbour: Guest;
  /** On the default network, of IPv4 alone, with published ports. */
  let plain: Guest;
  let six: Guest;
  let recluse: Guest;
  let hermit: Guest;

  before(async function () {
    this.timeout(60_000);
    lab = stack.use(await networksLab());
    wire = stack.use(await secondHost());
    const create = (name: string, more: Parameters<typeof networkRequest>[1]) =>
      lab.networks.createNetwork(networkRequest(name, more), call());
    await create("both", { pools: [{ subnet: "10.77.0.0/24" }, { subnet: "fd00:77::/64" }] });
    await create("six", { enableIpv4: false, pools: [{ subnet: "fd00:66::/64" }] });
    await create("inner", { isInternal: true, enableIpv6: true });
    here = stack.use(await startAgent());
    outside = stack.use(await startAgent(wire.path));
    const guest = async (name: string, network: string, ports: ReturnType<typeof port>[] = []) =>
      stack.use(await guestOn(lab, network, { name, ports }));
    web = await guest("web", "both", [
      port(80, 8080),
      port(80, 8080, "", "udp"),
      port(81, 8081, "127.0.0.1"),
      port(81, 8081, "::1"),
      port(81, 8082, wire.hostAddress6),
      port(81, 8083, "0.0.0.0"),
    ]);
    neighbour = await guest("neighbour", "both");
    plain = await guest("plain", "bridge", [port(80, 9080), port(80, 9080, "", "udp"), port(81, 9081, "0.0.0.0")]);
    six = await guest("six", "six", [port(80, 7080)]);
    recluse = await guest("recluse", "inner");
    hermit = await guest("hermit", "inner");
    await outside.serve("tcp", 7000, "::");
  });

  after(() => stack.disposeAsync());

  it("the host reaches published ports at its addresses and at both loopbacks, as the network's gateway", async () => {
    for (const protocol of ["tcp", "udp"] as const) {
      expect(await here.call(protocol, "127.0.0.1", 8080), protocol).to.equal("10.77.0.1");
      expect(await here.call(protocol, "::1", 8080), protocol).to.equal("fd00:77::1");
      expect(await here.call(protocol, wire.hostAddress6, 8080), protocol).to.equal("fd00:77::1");
      // carried from one family to the other
      expect(await here.call(protocol, "::1", 9080), protocol).to.match(/^172\.\d+\.0\.1$/);
      expect(await here.call(protocol, wire.hostAddress6, 9080), protocol).to.match(/^172\.\d+\.0\.1$/);
    }
    expect(await here.call("tcp", "127.0.0.1", 7080)).to.equal("fd00:66::1");
    expect(await here.call("tcp", "::1", 7080)).to.equal("fd00:66::1");
  });

  it("a second host reaches them as itself, where the container has an address of the family", async () => {
    for (const protocol of ["tcp", "udp"] as const) {
      expect(await outside.call(protocol, wire.hostAddress, 8080), protocol).to.equal(wire.address);
      expect(await outside.call(protocol, wire.hostAddress6, 8080), protocol).to.equal(wire.address6);
      expect(await outside.call(protocol, wire.hostAddress6, 9080), protocol).to.match(/^172\.\d+\.0\.1$/);
    }
    expect(await outside.call("tcp", wire.hostAddress, 7080)).to.equal("fd00:66::1");
    expect(await outside.call("tcp", wire.hostAddress6, 8082)).to.equal(wire.address6);
  });

  it("a port published on one address answers at no other", async () => {
    expect(await here.call("tcp", "127.0.0.1", 8081)).to.equal("10.77.0.1");
    expect(await here.call("tcp", "::1", 8081)).to.equal("fd00:77::1");
    expect(await here.call("tcp", wire.hostAddress, 8083)).to.equal("10.77.0.1");
    const nowhere: [string, number][] = [
      [wire.hostAddress, 8081],
      [wire.hostAddress6, 8081],
      [wire.hostAddress, 8082],
      [wire.hostAddress6, 8083],
      [wire.hostAddress6, 9081],
    ];
    for (const [address, port] of nowhere) {
      expect(await outside.call("tcp", address, port), `${address} ${port}`).to.be.oneOf(UNREACHED);
      expect(await here.call("tcp", address, port), `${address} ${port}`).to.be.oneOf(UNREACHED);
    }
    expect(await here.call("tcp", "::1", 8083)).to.equal("ECONNREFUSED");
    expect(await here.call("tcp", "::1", 9081)).to.equal("ECONNREFUSED");
  });

  it("no address of a container answers to the outside, published or not, nor to another network", async () => {
    for (const caller of [outside, plain.agent, six.agent, recluse.agent]) {
      for (const port of [80, 90]) {
        expect(await caller.call("tcp", web.address, port), `${port}`).to.be.oneOf(UNREACHED);
        expect(await caller.call("tcp", web.address6, port), `${port}`).to.be.oneOf(UNREACHED);
      }
    }
    expect(await neighbour.agent.call("tcp", six.address6, 80)).to.be.oneOf(UNREACHED);
    expect(await neighbour.agent.call("tcp", recluse.address6, 80)).to.be.oneOf(UNREACHED);
    expect(await outside.call("tcp", recluse.address6, 80)).to.be.oneOf(UNREACHED);
  });

  it("neighbours reach one another directly by both families, and published ports at the host's address", async () => {
    expect(await neighbour.agent.call("tcp", web.address, 90)).to.equal(neighbour.address);
    expect(await neighbour.agent.call("tcp", web.address6, 90)).to.equal(neighbour.address6);
    expect(await neighbour.agent.call("tcp", wire.hostAddress6, 8080)).to.equal("fd00:77::1");
    expect(await web.agent.call("tcp", wire.hostAddress6, 8080)).to.equal("fd00:77::1");
    expect(await six.agent.call("tcp", wire.hostAddress6, 8080)).to.equal(six.address6);
    expect(await recluse.agent.call("tcp", hermit.address6, 90)).to.equal(recluse.address6);
  });

  it("containers reach the outside, which sees the host's address of the family; from an internal network none", async () => {
    expect(await web.agent.call("tcp", wire.address, 7000)).to.equal(wire.hostAddress);
    expect(await web.agent.call("tcp", wire.address6, 7000)).to.equal(wire.hostAddress6);
    expect(await six.agent.call("tcp", wire.address6, 7000)).to.equal(wire.hostAddress6);
    expect(await plain.agent.call("tcp", wire.address6, 7000)).to.be.oneOf(UNREACHED);
    expect(await recluse.agent.call("tcp", wire.address, 7000)).to.be.oneOf(UNREACHED);
    expect(await recluse.agent.call("tcp", wire.address6, 7000)).to.be.oneOf(UNREACHED);
  });

  it("who forges a loopback address as the destination reaches neither a container nor the host", async () => {
    await here.serve("tcp", 9500, "::");
    await forge(wire.path, wire.hostAddress, wire.hostAddress6);
    for (const port of [8080, 8081, 9080, 7080, 9500]) {
      expect(await outside.call("tcp", "127.0.0.1", port), `127.0.0.1 ${port}`).to.be.oneOf(UNREACHED);
      expect(await outside.call("tcp", "::1", port), `::1 ${port}`).to.be.oneOf(UNREACHED);
    }
    await forge(neighbour.netnsPath, "10.77.0.1", "fd00:77::1");
    for (const port of [8081, 9500]) {
      expect(await neighbour.agent.call("tcp", "127.0.0.1", port), `127.0.0.1 ${port}`).to.be.oneOf(UNREACHED);
      expect(await neighbour.agent.call("tcp", "::1", port), `::1 ${port}`).to.be.oneOf(UNREACHED);
    }
  });

  it("nobody reaches a port of a container that has stopped", async () => {
    await lab.networks.deactivate({ holder: "web" }, call());
    await lab.networks.deactivate({ holder: "plain" }, call());
    for (const [address, port] of [
      ["127.0.0.1", 8080],
      ["::1", 8080],
      ["::1", 8081],
      ["::1", 9080],
      [wire.hostAddress6, 9080],
    ] as const) {
      expect(await here.call("tcp", address, port), `${address} ${port}`).to.equal("ECONNREFUSED");
    }
  });
});

/** Makes a namespace send what is for its loopback over its wire, as an attacker's machine would. */
async function forge(netnsPath: string, gateway: string, gateway6: string): Promise<void> {
  const script = `echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
    ip address delete 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via ${gateway}
    ip address delete ::1/128 dev lo; ip route add ::1/128 via ${gateway6}; true`;
  const { exitCode, stderr } = await runCommand("nsenter", [`--net=${netnsPath}`, "sh", "-c", script], {
    signal: deadline(5_000, "prepare the forger"),
  });
  expect(exitCode, stderr).to.equal(0);
}
