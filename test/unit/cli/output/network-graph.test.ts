import { expect } from "chai";
import { Container, ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import { Network } from "#proto/ctl/networks/v1/networks.ts";
import { networkDot, networkTree } from "../../../../cli/output/network-graph.ts";

const NETWORKS = [
  Network.fromPartial({
    id: "n1",
    name: "lan",
    driver: "bridge",
    pools: [{ subnet: "10.9.0.0/24" }],
    isInternal: true,
    endpoints: [
      { holder: "c1", holderName: "web", ipv4Address: "10.9.0.2" },
      { holder: "c2", holderName: "db", ipv4Address: "10.9.0.3" },
    ],
  }),
  Network.fromPartial({ id: "n2", name: "none", driver: "none" }),
];
const CONTAINERS = [
  Container.fromPartial({
    id: "c1",
    name: "web",
    state: ContainerState.RUNNING,
    ports: [{ containerPort: 80, protocol: "tcp", hostIp: "", hostPort: 8080 }],
  }),
  Container.fromPartial({ id: "c2", name: "db" }),
];

describe("the graph of networks", () => {
  it("is a tree of networks, containers and ports", () => {
    expect(networkTree(NETWORKS, CONTAINERS)).to.equal(
      [
        "lan  bridge  10.9.0.0/24  internal",
        "├─ web  10.9.0.2  0.0.0.0:8080->80/tcp",
        "└─ db  10.9.0.3  (stopped)",
        "none  none",
        "",
      ].join("\n"),
    );
  });

  it("is Graphviz's language with --format dot", () => {
    const dot = networkDot(NETWORKS, CONTAINERS);
    expect(dot).to.match(/^graph ctl \{\n/);
    expect(dot).to.include('"c1" -- "n1" [label="10.9.0.2"];').and.to.include("8080->80/tcp");
  });
});
