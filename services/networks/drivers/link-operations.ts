import { isErrno } from "../../kit/linux/libc.ts";
import { formatSubnet } from "../ipam/subnet.ts";
import { addAddress, deleteAddress, type LinkAddress, listAddresses } from "../netlink/addresses.ts";
import { createBridge, deleteLink, getLink, type Link, listLinks, setLink } from "../netlink/links.ts";
import { listRoutes } from "../netlink/routes.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { type Sysctls, writeSysctls } from "../sandbox/sysctls.ts";

export interface BridgeRequest {
  readonly name: string;
  readonly mac: string;
  /** Says whose the link is; a bridge with another one is left alone. */
  readonly alias: string;
  readonly mtu?: number;
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  readonly sysctls: Sysctls;
}

export type BridgeOutcome = "made" | "was there" | "not ours";

export interface HostRoute {
  /** CIDR. */
  readonly destination: string;
  /** Empty where the route names no single link. */
  readonly linkName: string;
  /** What it leads to is on the link itself, behind no router. */
  readonly isDirect: boolean;
}

/** What the host thread does with the host's own links. */
export function linkOperations(host: NetlinkSocket) {
  return {
    ensureBridge: (request: BridgeRequest) => ensureBridge(host, request),
    removeBridge: (request: { readonly name: string; readonly alias: string }) => removeBridge(host, request),
    listLinks: (_request: undefined) => listLinks(host),
    listHostRoutes: (_request: undefined) => listHostRoutes(host),
  };
}

/** The bridge as it should be, up, with exactly these addresses (IPv6 link-local ones aside); only what differs is changed. */
function ensureBridge(host: NetlinkSocket, request: BridgeRequest): BridgeOutcome {
  const found = findLink(host, request.name);
  if (found !== undefined && (found.kind !== "bridge" || found.alias !== request.alias)) return "not ours";
  if (found === undefined) host.execute([createBridge(request.name, request.mac, request.mtu)]);
  try {
    const { index } = found ?? getLink(host, request.name);
    // the sysctls before it is up: IPv6 would give itself an address
    writeSysctls(request.sysctls);
    if (found?.isUp !== true) host.execute([setLink(index, { alias: request.alias, isUp: true })]);
    setAddresses(host, index, request.addresses);
  } catch (error) {
    if (found === undefined) host.execute([deleteLink(request.name)]);
    throw error;
  }
  return found === undefined ? "made" : "was there";
}

function setAddresses(host: NetlinkSocket, linkIndex: number, addresses: BridgeRequest["addresses"]): void {
  const wanted = addresses.map((one): LinkAddress => ({ ...one, linkIndex }));
  const present = listAddresses(host).filter((one) => one.linkIndex === linkIndex && !one.address.startsWith("fe80:"));
  host.execute([
    ...present.filter((one) => !wanted.some((other) => isSame(one, other))).map(deleteAddress),
    ...wanted.filter((one) => !present.some((other) => isSame(one, other))).map(addAddress),
  ]);
}

/** Nothing there is no error, and a link that is not ours stays. */
function removeBridge(host: NetlinkSocket, { name, alias }: { name: string; alias: string }): boolean {
  const found = findLink(host, name);
  if (found === undefined || found.alias !== alias) return false;
  host.execute([deleteLink(found.index)]);
  return true;
}

/** The main table's routes of both families, without default routes. */
function listHostRoutes(host: NetlinkSocket): HostRoute[] {
  const names = new Map(listLinks(host).map((link) => [link.index, link.name]));
  return [...listRoutes(host, 4), ...listRoutes(host, 6)]
    .filter((route) => route.destination.prefix > 0)
    .map((route) => ({
      destination: formatSubnet(route.destination),
      linkName: names.get(route.linkIndex) ?? "",
      isDirect: route.gateway === undefined,
    }));
}

function findLink(host: NetlinkSocket, name: string): Link | undefined {
  try {
    return getLink(host, name);
  } catch (error) {
    if (isErrno(error, "ENODEV")) return undefined;
    throw error;
  }
}

function isSame(one: LinkAddress, other: LinkAddress): boolean {
  return one.address === other.address && one.prefix === other.prefix;
}
