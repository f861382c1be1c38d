import type { PublishedPort } from "#proto/ctl/networks/v1/networks.ts";
import { sorted } from "./go-values.ts";

/** Docker's `nat.PortMap`: null where a port is exposed and not published. */
export type PortMap = Record<string, { HostIp: string; HostPort: string }[] | null>;

const ANY_ADDRESS = "0.0.0.0";

/** `Ports` of an inspection. */
export function portMap(exposed: readonly string[], published: readonly PublishedPort[]): PortMap {
  const ports: PortMap = Object.fromEntries(exposed.map((port) => [port, null]));
  for (const { containerPort, protocol, hostIp, hostPort } of published) {
    const name = `${containerPort}/${protocol || "tcp"}`;
    ports[name] = [...(ports[name] ?? []), { HostIp: hostIp || ANY_ADDRESS, HostPort: String(hostPort) }];
  }
  return sorted(ports);
}

interface PortSummary {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

/** `Ports` of a container in a list, in Docker's order: container port, then host port, then address. */
export function portSummaries(exposed: readonly string[], published: readonly PublishedPort[]): PortSummary[] {
  const summaries: PortSummary[] = published.map(({ containerPort, protocol, hostIp, hostPort }) => ({
    IP: hostIp || ANY_ADDRESS,
    PrivatePort: containerPort,
    PublicPort: hostPort,
    Type: protocol || "tcp",
  }));
  for (const port of exposed) {
    const [number = "", protocol = "tcp"] = port.split("/");
    const isPublished = summaries.some((one) => one.PrivatePort === Number(number) && one.Type === protocol);
    if (!isPublished) summaries.push({ PrivatePort: Number(number), Type: protocol });
  }
  return summaries.sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      a.Type.localeCompare(b.Type) ||
      (a.IP ?? "").localeCompare(b.IP ?? ""),
  );
}
