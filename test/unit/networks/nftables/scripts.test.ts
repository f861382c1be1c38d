import { expect } from "chai";
import { hairpinChain } from "../../../../services/networks/nftables/bridges.ts";
import { isSamePort, type PortRule, portElements } from "../../../../services/networks/nftables/ports.ts";
import { addBridgeScript, rebuildScript } from "../../../../services/networks/nftables/table.ts";

const PORT: PortRule = { hostIp: "", protocol: "tcp", hostPort: 8080, address: "172.17.0.2", containerPort: 80 };

describe("nftables scripts", () => {
  it("change many ports with one command per map", () => {
    const ports = [
      PORT,
      { ...PORT, hostPort: 8081 },
      { ...PORT, hostIp: "127.0.0.1" },
      { ...PORT, address: "fd00::2" },
    ];
    expect(portElements("add", "ctl", ports)).to.deep.equal([
      "add element inet ctl published_by_address { 127.0.0.1 . tcp . 8080 : 172.17.0.2 . 80 }",
      "add element inet ctl published { tcp . 8080 : 172.17.0.2 . 80, tcp . 8081 : 172.17.0.2 . 80 }",
      "add element inet ctl published6 { tcp . 8080 : fd00::2 . 80 }",
    ]);
    expect(portElements("delete", "ctl", [PORT])).to.deep.equal(["delete element inet ctl published { tcp . 8080 }"]);
    expect(portElements("add", "ctl", [])).to.deep.equal([]);
  });

  it("know when two mappings are of one port", () => {
    expect(isSamePort(PORT, { ...PORT, address: "172.17.0.9", containerPort: 1 })).to.equal(true);
    expect(isSamePort(PORT, { ...PORT, hostIp: "127.0.0.1" })).to.equal(false);
    expect(isSamePort(PORT, { ...PORT, protocol: "udp" })).to.equal(false);
    expect(isSamePort(PORT, { ...PORT, address: "fd00::2" })).to.equal(false);
  });

  it("give an internal bridge no masquerade", () => {
    const bridge = { name: "br-x", subnets: ["10.0.0.0/24"], isInternal: true, isMasqueraded: true };
    const script = addBridgeScript("ctl", bridge);
    expect(script).to.include('add element inet ctl internal_bridges { "br-x" }');
    expect(script).not.to.include("masqueraded");
  });

  it("drop what is not ours only where the host forwarded nothing before", () => {
    const state = { bridges: [], ports: [], userRules: [], isForwardingGuarded: false, isForwarding6Guarded: false };
    const guardOf = (family: string) => `meta nfproto ${family} iifname != @bridges drop`;
    const only4 = rebuildScript("ctl", { ...state, isForwardingGuarded: true });
    expect(only4).to.include(guardOf("ipv4")).and.not.to.include(guardOf("ipv6"));
    expect(rebuildScript("ctl", { ...state, isForwarding6Guarded: true })).to.include(guardOf("ipv6"));
    expect(rebuildScript("ctl", state)).not.to.include("iifname != @bridges drop");
  });

  it("name a chain for any link name, a different one for each", () => {
    expect(hairpinChain("br-0123456789ab")).to.equal("hairpin_br-0123456789ab");
    expect(hairpinChain("eth0.5@x")).to.match(/^[A-Za-z0-9_-]+$/);
    expect(hairpinChain("a.b")).not.to.equal(hairpinChain("a_b"));
  });
});
