import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { droppingChains } from "../../../services/networks/nftables/foreign-chains.ts";
import type { PortRule } from "../../../services/networks/nftables/ports.ts";
import { Ruleset } from "../../../services/networks/nftables/ruleset.ts";
import type { TableState } from "../../../services/networks/nftables/table.ts";
import { UserRules } from "../../../services/networks/nftables/user-rules.ts";
import { secondHost } from "../../lab/namespace.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { refuseRealHost, testHost } from "./host.ts";

const WEB: PortRule = { hostIp: "", protocol: "tcp", hostPort: 8080, address: "172.30.0.2", containerPort: 80 };
const DNS: PortRule = { ...WEB, protocol: "udp", hostPort: 53, containerPort: 5353 };
const LOCAL: PortRule = { ...WEB, hostIp: "127.0.0.1", hostPort: 9000 };
const SIX: PortRule = { ...WEB, address: "fd00:30::2" };
const STATE: TableState = {
  bridges: [
    { name: "br-one", subnets: ["172.30.0.0/16", "fd00:30::/64"], isInternal: false, isMasqueraded: true },
    { name: "br-two.x", subnets: ["172.31.0.0/16"], isInternal: true, isMasqueraded: false },
  ],
  ports: [LOCAL, DNS, WEB, { ...SIX, hostIp: "fd00::1" }, SIX],
  isForwardingGuarded: true,
  isForwarding6Guarded: false,
};

describe("the nftables table", () => {
  before(refuseRealHost);

  it("says after a rebuild exactly what it was told, however often", async () => {
    await using host = await testHost();
    for (let i = 0; i < 2; i++) {
      await host.ruleset.rebuild(async () => STATE);
      expect(byName(await host.ruleset.read())).to.deep.equal(byName(STATE));
    }
  });

  it("takes ports in and out in one step, and what is already so is no error", async () => {
    await using host = await testHost();
    await host.ruleset.changePorts({ add: [WEB, DNS, LOCAL], remove: [] });
    await host.ruleset.changePorts({ add: [WEB, DNS, LOCAL], remove: [] });
    await host.ruleset.changePorts({ add: [], remove: [WEB, LOCAL] });
    await host.ruleset.changePorts({ add: [], remove: [WEB, LOCAL] });
    expect((await host.ruleset.read())?.ports).to.deep.equal([DNS]);
  });

  it("replaces a mapping that leads elsewhere, and removes none that leads elsewhere", async () => {
    await using host = await testHost();
    const moved = { ...WEB, address: "172.30.0.7" };
    await host.ruleset.changePorts({ add: [WEB], remove: [] });
    await host.ruleset.changePorts({ add: [moved], remove: [LOCAL] });
    expect((await host.ruleset.read())?.ports).to.deep.equal([moved]);
    await host.ruleset.changePorts({ add: [], remove: [WEB, LOCAL] });
    expect((await host.ruleset.read())?.ports).to.deep.equal([moved]);
  });

  it("holds thousands of ports, and changes one of them as fast", async () => {
    await using host = await testHost();
    const ports = Array.from({ length: 4_000 }, (_, i) => ({ ...WEB, hostPort: 10_000 + i }));
    await host.ruleset.changePorts({ add: ports, remove: [] });
    await host.ruleset.changePorts({ add: [WEB], remove: ports.slice(0, 1) });
    expect((await host.ruleset.read())?.ports).to.have.length(4_000);
  });

  it("knows when somebody flushed it, and is whole again after a rebuild", async () => {
    await using host = await testHost();
    await host.ruleset.rebuild(async () => STATE);
    expect(await host.ruleset.isIntact()).to.equal(true);
    await host.ruleset.changePorts({ add: [{ ...WEB, hostPort: 1 }], remove: [DNS] });
    expect(await host.ruleset.isIntact()).to.equal(true);
    await nft("flush", "table", "inet", host.names.table);
    expect(await host.ruleset.isIntact()).to.equal(false);
    await host.ruleset.rebuild(async () => STATE);
    expect(await host.ruleset.isIntact()).to.equal(true);
    await nft("flush", "ruleset");
    expect(await host.ruleset.isIntact()).to.equal(false);
    expect(await host.ruleset.read()).to.equal(undefined);
  });

  it("leaves other tables alone, and names the chains of theirs that drop what is forwarded", async () => {
    await using host = await testHost();
    await nft(
      "add table ip firewall; add chain ip firewall FORWARD { type filter hook forward priority 0; policy drop; }",
    );
    await host.ruleset.rebuild(async () => STATE);
    const dropping = await droppingChains(host.thread, host.names.table);
    await host.ruleset.remove();
    const tables = await nft("list", "tables");
    await nft("delete", "table", "ip", "firewall");
    expect(dropping).to.have.length(1);
    expect(dropping[0]).to.include({ family: "ip", table: "firewall", chain: "FORWARD", policy: "drop" });
    expect(tables).to.include("table ip firewall").and.not.to.include(host.names.table);
  });

  it("lives beside another instance's", async () => {
    await using one = await testHost();
    await using other = await testHost();
    await one.ruleset.changePorts({ add: [WEB], remove: [] });
    await other.ruleset.changePorts({ add: [LOCAL], remove: [] });
    expect((await one.ruleset.read())?.ports).to.deep.equal([WEB]);
    expect((await other.ruleset.read())?.ports).to.deep.equal([LOCAL]);
  });

  it("says what nftables said when it refuses, and nothing of the change has happened", async () => {
    await using host = await testHost();
    const error = await rejection(
      host.ruleset.changePorts({ add: [WEB, { ...WEB, containerPort: 70_000, hostPort: 1 }], remove: [] }),
    );
    expect(error).to.include({ code: "INTERNAL", reason: "NFT_REFUSED" });
    expect((error as Error).message).to.include("Service out of range");
    expect((await host.ruleset.read())?.ports).to.deep.equal([]);
    const missing = new Ruleset(host.thread, "ctl_nowhere", new UserRules("/dev/null"));
    expect(await rejection(missing.changePorts({ add: [WEB], remove: [] }))).to.include({ reason: "NFT_REFUSED" });
  });

  it("lets a UDP client that never stops sending reach the container that comes later", async () => {
    await using host = await testHost();
    await using wire = await secondHost();
    const network = await host.network({ subnet: "172.30.0.0/16", gateway: "172.30.0.1" });
    await using server = await startAgent((await host.container([[network, "172.30.0.2"]])).netnsPath);
    await using client = await startAgent(wire.path);
    await server.serve("udp", 5353);
    const call = () => client.call("udp", wire.hostAddress, 5300, { localPort: 40_000 });
    const published = { ...DNS, hostPort: 5300 };
    await using keeper = await startAgent(); // a socket on the host's port: without it ICMP would end the flow
    await keeper.serve("udp", 5300);
    expect(await call()).to.equal(wire.address); // tracked now, as a flow to the host itself
    await host.ruleset.changePorts({ add: [published], remove: [] });
    await host.thread.call("forgetUdpFlows", [{ hostPort: 5300, address: "172.30.0.2" }]);
    const agent = await host.container([[network, "172.30.0.3"]]);
    await using later = await startAgent(agent.netnsPath);
    await later.serve("udp", 5353);
    expect(await call()).to.equal(wire.address);
    const moved = { ...published, address: "172.30.0.3" };
    await host.ruleset.changePorts({ add: [moved], remove: [published] });
    expect(await host.thread.call("forgetUdpFlows", [{ hostPort: 5300, address: "172.30.0.2" }])).to.equal(1);
    await server[Symbol.asyncDispose]();
    expect(await call()).to.equal(wire.address);
  });
});

function byName(state: TableState | undefined) {
  const sorted = <T>(list: readonly T[]) => [...list].map((one) => JSON.stringify(one)).sort();
  return state && { ...state, bridges: sorted(state.bridges), ports: sorted(state.ports) };
}

async function nft(...args: string[]): Promise<string> {
  const result = await runCommand("nft", args, { signal: deadline(5_000, `nft ${args.join(" ")}`) });
  expect(result.exitCode, result.stderr).to.equal(0);
  return result.stdout;
}
