export type PortProtocol = "tcp" | "udp" | "sctp";

/** A published port: from one of the host's addresses, or all of them, to a container's. */
export interface PortRule {
  /** Empty: all addresses of the host, of the family of `address`. */
  readonly hostIp: string;
  readonly protocol: PortProtocol;
  readonly hostPort: number;
  /** The container's. */
  readonly address: string;
  readonly containerPort: number;
  /** Not translated: the port is open at the container's own address, and the host's has no part in it. */
  readonly isRouted?: boolean;
}

/** One command per map that is concerned. */
export function portElements(verb: "add" | "delete", table: string, ports: readonly PortRule[]): string[] {
  return PORT_MAPS.flatMap((map) => {
    const elements = ports
      .filter((port) => portMap(port) === map)
      .map((port) =>
        verb === "add" && port.isRouted !== true
          ? `${portKey(port)} : ${port.address} . ${port.containerPort}`
          : portKey(port),
      );
    return elements.length === 0 ? [] : [`${verb} element inet ${table} ${map} { ${elements.join(", ")} }`];
  });
}

export const PORT_MAPS = [
  "published_by_address",
  "published",
  "published6_by_address",
  "published6",
  "opened",
  "opened6",
] as const;
export type PortMap = (typeof PORT_MAPS)[number];

export function portMap({ address, hostIp, isRouted }: PortRule): PortMap {
  if (isRouted === true) return address.includes(":") ? "opened6" : "opened";
  if (address.includes(":")) return hostIp === "" ? "published6" : "published6_by_address";
  return hostIp === "" ? "published" : "published_by_address";
}

/** Two ports with one key in one map cannot both be published. */
export function portKey({ hostIp, protocol, hostPort, address, containerPort, isRouted }: PortRule): string {
  if (isRouted === true) return `${address} . ${protocol} . ${containerPort}`;
  return hostIp === "" ? `${protocol} . ${hostPort}` : `${hostIp} . ${protocol} . ${hostPort}`;
}

export function isSamePort(one: PortRule, other: PortRule): boolean {
  return portMap(one) === portMap(other) && portKey(one) === portKey(other);
}

export function isSameTarget(one: PortRule, other: PortRule): boolean {
  return one.address === other.address && one.containerPort === other.containerPort;
}
