import type { PortRequest } from "#proto/ctl/networks/v1/networks.ts";
import { type Agent, startAgent } from "./agent.ts";
import { acquireRequest, call, type NetworksLab } from "./networks-lab.ts";

/** A container of reachability tests, with a server of both families on its ports 80 (tcp and udp), 81 and 90. */
export interface Guest extends AsyncDisposable {
  readonly agent: Agent;
  readonly address: string;
  readonly address6: string;
  readonly netnsPath: string;
}

/** What a call ends with that must not arrive. */
export const UNREACHED = ["silence", "ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "EACCES"];

export async function guestOn(
  lab: NetworksLab,
  network: string,
  { name, ports = [] }: { readonly name: string; readonly ports?: Partial<PortRequest>[] },
): Promise<Guest> {
  const request = acquireRequest(name, { endpoints: [{ network }], ports });
  const { netnsPath, endpoints } = await lab.networks.acquire(request, call());
  const agent = await startAgent(netnsPath);
  await agent.serve("udp", 80, "::");
  for (const port of [80, 81, 90]) await agent.serve("tcp", port, "::");
  return {
    ...{ agent, netnsPath, address: endpoints[0]?.ipv4Address ?? "", address6: endpoints[0]?.ipv6Address ?? "" },
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}

export function publishedPort(containerPort: number, hostPort: number, hostIp = "", protocol = "tcp") {
  return { containerPort, hostPort, hostIp, protocol };
}
