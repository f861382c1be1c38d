import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import type { DriverNetwork } from "../../../services/networks/drivers/driver.ts";
import type { PortRule } from "../../../services/networks/nftables/ports.ts";
import type { Sandbox } from "../../../services/networks/sandbox/sandbox.ts";
import { readSysctl, writeSysctls } from "../../../services/networks/sandbox/sysctls.ts";
import { type SecondHost, secondHost } from "../../lab/namespace.ts";
import { type Agent, startAgent } from "./agent.ts";
import { refuseRealHost, type TestHost, testHost } from "./host.ts";

const WEB = "172.30.0.2";
const NEIGHBOUR = "172.30.0.3";
const GATEWAY = "172.30.0.1";
const STRANGER = "172.31.0.2";
const RECLUSE = "172.29.0.2";

/** A port of the web container that is published twice, and one of each kind that must stay unreachable. */
const EVERYWHERE = 8080;
const LOOPBACK_ONLY = 8081;
const UNPUBLISHED = 90;

const BRIDGE_FILTER = "net/bridge/bridge-nf-call-iptables";

for (const isBridgeFiltered of [true, false]) {
  describe(`with bridge-nf-call-iptables ${isBridgeFiltered ? "on" : "off"}, who reaches a container:`, () => {
    const stack = new AsyncDisposableStack();
    let host: TestHost;
    let here: Agent;
    let web: Agent;
    let neighbour: Agent;
    let stranger: Agent;
    let recluse: Agent;
    let wire: SecondHost;
    let outside: Agent;
    let neighbourSandbox: Sandbox;
    const hostService = isBridgeFiltered ? 9001 : 9002;

    before(async function () {
      this.timeout(30_000);
      await refuseRealHost();
      const isFilterable = readSysctl(BRIDGE_FILTER) !== undefined; // br_netfilter is a module that may not be loaded
      if (isBridgeFiltered && !isFilterable) this.skip();
      if (isFilterable) writeSysctls({ [BRIDGE_FILTER]: isBridgeFiltered ? "1" : "0" });
      host = stack.use(await testHost());
      wire = stack.use(await secondHost());
      const home = await host.network({ subnet: "172.30.0.0/16", gateway: GATEWAY });
      const other = await host.network({ subnet: "172.31.0.0/16", gateway: "172.31.0.1" });
      const inner = await host.network({ subnet: "172.29.0.0/16", gateway: "172.29.0.1", isInternal: true });
      neighbourSandbox = await host.container([[home, NEIGHBOUR]]);
      const agentAt = async (network: DriverNetwork, address: string) =>
        stack.use(await startAgent((await host.container([[network, address]])).netnsPath));
      here = stack.use(await startAgent());
      outside = stack.use(await startAgent(wire.path));
      neighbour = stack.use(await startAgent(neighbourSandbox.netnsPath));
      web = await agentAt(home, WEB);
      stranger = await agentAt(other, STRANGER);
      recluse = await agentAt(inner, RECLUSE);
      await here.serve("tcp", hostService);
      for (const port of [80, 81, UNPUBLISHED]) await web.serve("tcp", port);
      await web.serve("udp", 80);
      await outside.serve("tcp", 7000);
      await host.ruleset.changePorts({
        add: [
          published("", "tcp", EVERYWHERE, 80),
          published("", "udp", EVERYWHERE, 80),
          published("127.0.0.1", "tcp", LOOPBACK_ONLY, 81),
        ],
        remove: [],
      });
    });

    after(() => stack.disposeAsync());

    it("the host reaches it by the container's address, as the gateway", async () => {
      expect(await here.call("tcp", WEB, UNPUBLISHED)).to.equal(GATEWAY);
    });

    it("the host reaches a published port at its own address and at 127.0.0.1, as the gateway", async () => {
      expect(await here.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal(GATEWAY);
      expect(await here.call("tcp", "127.0.0.1", EVERYWHERE)).to.equal(GATEWAY);
      expect(await here.call("tcp", GATEWAY, EVERYWHERE)).to.equal(GATEWAY);
      expect(await here.call("udp", "127.0.0.1", EVERYWHERE)).to.equal(GATEWAY);
    });

    it("a port published on 127.0.0.1 is reached there by the host, and at no other address", async () => {
      expect(await here.call("tcp", "127.0.0.1", LOOPBACK_ONLY)).to.equal(GATEWAY);
      expect(await here.call("tcp", wire.hostAddress, LOOPBACK_ONLY)).to.equal("ECONNREFUSED");
      expect(await outside.call("tcp", wire.hostAddress, LOOPBACK_ONLY)).to.equal("ECONNREFUSED");
    });

    it("a second host reaches the published port, and the container sees its true address", async () => {
      expect(await outside.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal(wire.address);
      expect(await outside.call("udp", wire.hostAddress, EVERYWHERE)).to.equal(wire.address);
    });

    it("a second host reaches nothing else: no unpublished port, no container's address", async () => {
      expect(await outside.call("tcp", wire.hostAddress, UNPUBLISHED)).to.equal("ECONNREFUSED");
      expect(await outside.call("tcp", WEB, UNPUBLISHED)).to.equal("silence");
      expect(await outside.call("tcp", WEB, 80)).to.equal("silence");
      expect(await outside.call("udp", WEB, 80)).to.equal("silence");
    });

    it("a second host that forges 127.0.0.1 as the destination reaches neither a container nor the host", async () => {
      await sendLoopbackTo(wire.path, wire.hostAddress);
      for (const port of [LOOPBACK_ONLY, EVERYWHERE, hostService]) {
        expect(await outside.call("tcp", "127.0.0.1", port), `port ${port}`).to.equal("silence");
      }
    });

    it("a container reaches its neighbour on the bridge directly, as itself", async () => {
      expect(await neighbour.call("tcp", WEB, UNPUBLISHED)).to.equal(NEIGHBOUR);
    });

    it("a container reaches its neighbour's published port at the host's address, as the gateway", async () => {
      expect(await neighbour.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal(GATEWAY);
      expect(await neighbour.call("udp", wire.hostAddress, EVERYWHERE)).to.equal(GATEWAY);
    });

    it("a container reaches its own published port at the host's address", async () => {
      expect(await web.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal(GATEWAY);
    });

    it("a container on another bridge reaches the published port as itself, and nothing else", async () => {
      expect(await stranger.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal(STRANGER);
      expect(await stranger.call("tcp", WEB, 80)).to.equal("silence");
      expect(await stranger.call("tcp", WEB, UNPUBLISHED)).to.equal("silence");
    });

    it("a container that forges 127.0.0.1 as the destination does not reach the host's loopback services", async () => {
      await sendLoopbackTo(neighbourSandbox.netnsPath, GATEWAY);
      expect(await neighbour.call("tcp", GATEWAY, hostService)).to.equal(NEIGHBOUR);
      expect(await neighbour.call("tcp", "127.0.0.1", hostService)).to.equal("silence");
    });

    it("a container reaches the outside, which sees the host's address", async () => {
      expect(await web.call("tcp", wire.address, 7000)).to.equal(wire.hostAddress);
      expect(await stranger.call("tcp", wire.address, 7000)).to.equal(wire.hostAddress);
    });

    it("on an internal network a container reaches neither the outside nor another bridge", async () => {
      expect(await recluse.call("tcp", wire.address, 7000)).to.be.oneOf(["ENETUNREACH", "silence"]);
      expect(await recluse.call("tcp", WEB, 80)).to.be.oneOf(["ENETUNREACH", "silence"]);
      expect(await web.call("tcp", RECLUSE, 80)).to.equal("silence");
    });

    it("once it is unpublished nobody reaches the port at the host's address", async () => {
      await host.ruleset.changePorts({ add: [], remove: [published("", "tcp", EVERYWHERE, 80)] });
      expect(await outside.call("tcp", wire.hostAddress, EVERYWHERE)).to.equal("ECONNREFUSED");
      expect(await here.call("tcp", "127.0.0.1", EVERYWHERE)).to.equal("ECONNREFUSED");
    });
  });
}

function published(hostIp: string, protocol: PortRule["protocol"], hostPort: number, containerPort: number): PortRule {
  return { hostIp, protocol, hostPort, address: WEB, containerPort };
}

/** Makes a namespace send what is for 127.0.0.1 over its wire, as an attacker's machine would. */
async function sendLoopbackTo(netnsPath: string, gateway: string): Promise<void> {
  const script = `echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet &&
    ip address delete 127.0.0.1/8 dev lo && ip route add 127.0.0.1/32 via ${gateway}`;
  const { exitCode, stderr } = await runCommand("nsenter", [`--net=${netnsPath}`, "sh", "-c", script], {
    signal: deadline(5_000, "prepare the forger"),
  });
  expect(exitCode, stderr).to.equal(0);
}
