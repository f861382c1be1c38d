import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { readSysctl, writeSysctls } from "../../../services/networks/sandbox/sysctls.ts";
import { eventually } from "../../lab/eventually.ts";
import { type SecondHost, secondHost } from "../../lab/namespace.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type Guest, guestOn, publishedPort as port, UNREACHED } from "./guests.ts";
import { call, type NetworksLab, networkRequest, networksLab } from "./networks-lab.ts";

const BRIDGE_FILTERS = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"];
const option = (name: string) => `com.docker.network.bridge.${name}`;

for (const isBridgeFiltered of [true, false]) {
  describe(`with bridge-nf-call-iptables ${isBridgeFiltered ? "on" : "off"}, a bridge network's options:`, () => {
    const stack = new AsyncDisposableStack();
    let lab: NetworksLab;
    let wire: SecondHost;
    let here: Agent;
    let outside: Agent;
    let sequence = 0;

    before(async function () {
      this.timeout(60_000);
      // br_netfilter is a module that may not be loaded
      const filters = BRIDGE_FILTERS.filter((name) => readSysctl(name) !== undefined);
      if (isBridgeFiltered && filters.length === 0) this.skip();
      for (const name of filters) writeSysctls({ [name]: isBridgeFiltered ? "1" : "0" });
      lab = stack.use(await networksLab());
      wire = stack.use(await secondHost());
      here = stack.use(await startAgent());
      outside = stack.use(await startAgent(wire.path));
      await outside.serve("tcp", 7000, "::");
    });

    after(() => stack.disposeAsync());

    async function network(options: Record<string, string>, more: Parameters<typeof networkRequest>[1] = {}) {
      const name = `n${sequence++}`;
      const request = networkRequest(name, { enableIpv6: true, options, ...more });
      return (await lab.networks.createNetwork(request, call())).network ?? expect.fail("no network");
    }

    async function guest({ name: net }: { name: string }, ports: ReturnType<typeof port>[] = []): Promise<Guest> {
      return stack.use(await guestOn(lab, net, { name: `g${sequence++}`, ports }));
    }

    it("enable_icc=false keeps neighbours apart, but for what they publish; the host and the outside they reach", async () => {
      const apart = await network({ [option("enable_icc")]: "false" });
      const one = await guest(apart);
      const other = await guest(apart, [port(80, 8100)]);
      const check = async () => {
        for (const address of [other.address, other.address6]) {
          expect(await one.agent.call("tcp", address, 90), address).to.be.oneOf(UNREACHED);
          expect(await one.agent.call("udp", address, 80), address).to.be.oneOf(UNREACHED);
          expect(await here.call("tcp", address, 90), address).to.not.be.oneOf(UNREACHED);
        }
        expect(await one.agent.call("tcp", wire.hostAddress, 8100)).to.equal(apart.pools[0]?.gateway);
        expect(await one.agent.call("tcp", wire.hostAddress6, 8100)).to.equal(apart.pools[1]?.gateway);
        expect(await other.agent.call("tcp", wire.hostAddress, 8100)).to.equal(apart.pools[0]?.gateway);
        expect(await one.agent.call("tcp", wire.address6, 7000)).to.equal(wire.hostAddress6);
      };
      await check();
    });

    it("host_binding_ipv4 is where ports go that name no address", async () => {
      const bound = await network({ [option("host_binding_ipv4")]: "127.0.0.1" });
      await guest(bound, [port(80, 8110), port(80, 8111, "0.0.0.0")]);
      expect(await here.call("tcp", "127.0.0.1", 8110)).to.equal(bound.pools[0]?.gateway);
      expect(await outside.call("tcp", wire.hostAddress, 8110)).to.be.oneOf(UNREACHED);
      expect(await outside.call("tcp", wire.hostAddress6, 8110)).to.be.oneOf(UNREACHED);
      expect(await outside.call("tcp", wire.hostAddress, 8111)).to.equal(wire.address);
    });

    it("gateway_mode nat-unprotected opens every port of the family's addresses, and of that family only", async () => {
      const open = await network({ [option("gateway_mode_ipv4")]: "nat-unprotected" });
      const web = await guest(open, [port(80, 8120)]);
      expect(await outside.call("tcp", web.address, 90)).to.equal(wire.address);
      expect(await outside.call("tcp", web.address6, 90)).to.be.oneOf(UNREACHED);
      expect(await outside.call("tcp", wire.hostAddress, 8120)).to.equal(wire.address);
      expect(await web.agent.call("tcp", wire.address, 7000)).to.equal(wire.hostAddress);
    });

    it("gateway_mode routed translates nothing: published ports are open at the container's own address", async () => {
      const routed = await network({
        [option("gateway_mode_ipv4")]: "routed",
        [option("gateway_mode_ipv6")]: "routed",
      });
      const web = await guest(routed, [port(80, 8130), port(80, 8131), port(80, 8132, "", "udp")]);
      for (const address of [web.address, web.address6]) {
        const own = address.includes(":") ? wire.address6 : wire.address;
        expect(await outside.call("tcp", address, 80), address).to.equal(own);
        expect(await outside.call("udp", address, 80), address).to.equal(own);
        expect(await outside.call("tcp", address, 90), address).to.be.oneOf(UNREACHED);
        expect(await web.agent.call("tcp", own, 7000), address).to.equal(address);
      }
      for (const address of [wire.hostAddress, wire.hostAddress6]) {
        expect(await outside.call("tcp", address, 8130), address).to.be.oneOf(UNREACHED);
      }
      const [holder] = (await lab.networks.inspectNetwork({ ref: routed.name }, call())).network?.endpoints ?? [];
      await lab.networks.deactivate({ holder: holder?.holder ?? "" }, call());
      expect(await eventually(async () => await outside.call("tcp", web.address, 80))).to.be.oneOf(UNREACHED);
    });

    it("gateway_mode isolated leaves the host without an address on an internal network", async () => {
      const options = { [option("gateway_mode_ipv4")]: "isolated", [option("gateway_mode_ipv6")]: "isolated" };
      const hidden = await network(options, { isInternal: true });
      const [one, other] = [await guest(hidden), await guest(hidden)];
      expect(await addresses(hidden.bridge))
        .to.not.include("inet 1")
        .and.to.not.include(hidden.pools[1]?.gateway);
      expect(await one.agent.call("tcp", other.address, 90)).to.equal(one.address);
      expect(await one.agent.call("tcp", other.address6, 90)).to.equal(one.address6);
      expect(await here.call("tcp", one.address, 90)).to.be.oneOf(UNREACHED);
    });

    it("inhibit_ipv4 leaves the bridge without an IPv4 address, and to others what the gateway is", async () => {
      const inhibited = await network({ [option("inhibit_ipv4")]: "true" });
      const shown = await addresses(inhibited.bridge);
      expect(shown).to.include(inhibited.pools[1]?.gateway);
      expect(shown).to.not.include(inhibited.pools[0]?.gateway);
    });

    it("container_iface_prefix names the interfaces, of the pool's sandboxes too; unknown options are kept", async () => {
      const named = await network({ "com.docker.network.container_iface_prefix": "lan", banana: "1" });
      expect(named.options).to.include({ banana: "1" });
      const web = await guest(named);
      const { stdout } = await runCommand("nsenter", [`--net=${web.netnsPath}`, "ip", "-br", "address"], {
        signal: deadline(5_000, "list addresses"),
      });
      expect(stdout).to.match(new RegExp(`^lan0@.*${web.address}/`, "m"));
    });
  });
}

async function addresses(link: string): Promise<string> {
  const { stdout } = await runCommand("ip", ["address", "show", link], { signal: deadline(5_000, "list addresses") });
  return stdout;
}
