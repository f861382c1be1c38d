import { type Container, ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import type { Network } from "#proto/ctl/networks/v1/networks.ts";
import { shortId } from "./human.ts";
import { portsColumn } from "./ports.ts";

const UP = [ContainerState.RUNNING, ContainerState.PAUSED];

/** One container on a network. */
interface Leaf {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly ports: string;
  readonly isRunning: boolean;
}

/** Networks with the containers on them and the ports that lead there, a line each. */
export function networkTree(networks: readonly Network[], containers: readonly Container[]): string {
  return networks
    .map((network) => {
      const leaves = leavesOf(network, containers);
      const lines = leaves.map((leaf, index) => `${index === leaves.length - 1 ? "└─" : "├─"} ${leafText(leaf)}`);
      return [networkText(network), ...lines].map((line) => `${line}\n`).join("");
    })
    .join("");
}

/** The same as a graph for Graphviz: dot(1). */
export function networkDot(networks: readonly Network[], containers: readonly Container[]): string {
  const lines = networks.flatMap((network) => [
    `  ${quoted(network.id)} [shape=box, label=${quoted(networkText(network))}];`,
    ...leavesOf(network, containers).flatMap((leaf) => [
      `  ${quoted(leaf.id)} [label=${quoted(leaf.ports === "" ? leaf.name : `${leaf.name}\n${leaf.ports}`)}];`,
      `  ${quoted(leaf.id)} -- ${quoted(network.id)} [label=${quoted(leaf.address)}];`,
    ]),
  ]);
  return `graph ctl {\n${lines.map((line) => `${line}\n`).join("")}}\n`;
}

function leavesOf(network: Network, containers: readonly Container[]): Leaf[] {
  const known = new Map(containers.map((container) => [container.id, container]));
  return network.endpoints.map((endpoint) => {
    const container = known.get(endpoint.holder);
    const isRunning = UP.some((state) => state === container?.state);
    return {
      id: endpoint.holder,
      name: container?.name ?? (endpoint.holderName || shortId(endpoint.holder)),
      address: endpoint.ipv4Address,
      ports: isRunning ? portsColumn(container?.ports ?? [], []) : "",
      isRunning,
    };
  });
}

function networkText({ name, driver, pools, isInternal }: Network): string {
  const subnets = pools.map(({ subnet }) => subnet).join(" ");
  return [name, driver, subnets, isInternal ? "internal" : ""].filter((part) => part !== "").join("  ");
}

function leafText({ name, address, ports, isRunning }: Leaf): string {
  return [name, address, ports, isRunning ? "" : "(stopped)"].filter((part) => part !== "").join("  ");
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
