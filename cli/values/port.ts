import { invalid } from "./invalid.ts";
import { ipVersion } from "./ip.ts";

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: string;
  /** Empty: every address of the host. */
  readonly hostIp: string;
  /** 0: a free one. */
  readonly hostPort: number;
  /** Other than 0: a free one from hostPort up to this. */
  readonly hostPortEnd: number;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS = ["tcp", "udp", "sctp"];
const FIX = "[HOST-IP:][HOST-PORT:]CONTAINER-PORT[/tcp|udp|sctp], a port may be a range: 8000-8010:80-90";

/**
 * Docker's `-p`: `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]::80`, `8000-8002:80-82`. A range of host ports for
 * one container port means: one of them. PORT_INVALID.
 */
export function parsePort(given: string): PublishedPort[] {
  const { spec, protocol } = splitProtocol(given);
  const { hostIp, hostPorts, containerPorts } = splitAddress(spec, given);
  if (containerPorts === "") throw refuse(given, "no port specified");
  const container = parseRange(containerPorts, "containerPort", given);
  if (hostPorts === "") return expand(container, (port) => ({ containerPort: port, protocol, hostIp, ...anyPort }));
  const host = parseRange(hostPorts, "hostPort", given);
  const hostCount = host.last - host.first;
  if (container.first === container.last && hostCount > 0) {
    return [{ containerPort: container.first, protocol, hostIp, hostPort: host.first, hostPortEnd: host.last }];
  }
  if (container.last - container.first !== hostCount) {
    throw refuse(given, `invalid ranges specified for container and host Ports: ${containerPorts} and ${hostPorts}`);
  }
  return expand(container, (port, index) => ({
    containerPort: port,
    protocol,
    hostIp,
    hostPort: host.first + index,
    hostPortEnd: 0,
  }));
}

const anyPort = { hostPort: 0, hostPortEnd: 0 };

/** Docker's `--expose`: `80`, `53/udp`, `8000-8010`; as `80/tcp`. PORT_INVALID. */
export function parseExposedPort(given: string): string[] {
  if (given.includes(":")) throw refuse(given, `invalid port format for --expose: ${given}`, "80, 53/udp or 8000-8010");
  const { spec, protocol } = splitProtocol(given);
  return expand(parseRange(spec, "containerPort", given), (port) => `${port}/${protocol}`);
}

function splitProtocol(given: string): { spec: string; protocol: string } {
  const [spec = "", protocol = "tcp", ...more] = given.split("/");
  const lower = (protocol === "" ? "tcp" : protocol).toLowerCase();
  if (more.length > 0 || !PROTOCOLS.includes(lower)) throw refuse(given, `invalid proto: ${protocol}`);
  return { spec, protocol: lower };
}

function splitAddress(spec: string, given: string) {
  const match = /^(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?(?:([^:]*):)?([^:]*)$/.exec(spec);
  if (match === null) throw refuse(given, `invalid port specification: ${given}`);
  const [, bracketed, plain, middle, containerPorts = ""] = match;
  // with a single colon what stands before it is the host's port
  const isPortOnly = bracketed === undefined && middle === undefined;
  const hostIp = isPortOnly ? "" : (bracketed ?? plain ?? "");
  const hostPorts = isPortOnly ? (plain ?? "") : (middle ?? "");
  if (hostIp !== "" && ipVersion(hostIp) === 0) throw refuse(given, `invalid IP address: ${hostIp}`);
  return { hostIp, hostPorts, containerPorts };
}

function parseRange(text: string, name: string, given: string): Range {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  const isValid = match !== null && first >= (name === "hostPort" ? 0 : 1) && last <= 65_535;
  if (!isValid || last < first) throw refuse(given, `invalid ${name}: ${text}`);
  return { first, last };
}

function expand<T>({ first, last }: Range, make: (port: number, index: number) => T): T[] {
  return Array.from({ length: last - first + 1 }, (_, index) => make(first + index, index));
}

function refuse(given: string, why: string, fix = FIX) {
  return invalid("PORT_INVALID", given, why, fix);
}
