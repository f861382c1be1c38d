import { isErrno } from "../../kit/linux/libc.ts";
import { openDnsSockets } from "../dns/sockets.ts";
import { familyOf } from "../ipam/address.ts";
import { addAddress, type LinkAddress } from "../netlink/addresses.ts";
import { createVeth, deleteLink, getLink, setLink, setPortFlags } from "../netlink/links.ts";
import { addRoute } from "../netlink/routes.ts";
import { type NetlinkCalls, NetlinkSocket } from "../netlink/socket.ts";
import type { LowDescriptor } from "../nftables/low-descriptor.ts";
import type { Namespaces } from "./namespaces.ts";
import { readSysctl, type Sysctls, writeInterfaceSysctls, writeSysctls } from "./sysctls.ts";

/** What sandboxes are made with: everything here runs in the host thread. */
export interface SandboxTools {
  readonly calls: NetlinkCalls;
  /** Speaks for the host's namespace. */
  readonly host: NetlinkSocket;
  readonly namespaces: Namespaces;
  readonly low: LowDescriptor;
}

export interface VethRequest {
  /** The end on the host. */
  readonly hostLink: string;
  readonly bridge: string;
  /** The end in the sandbox. */
  readonly interfaceName: string;
  readonly mtu?: number;
  /** With bridge-nf-call-iptables the bridge itself turns back what goes to a published port. */
  readonly isHairpin: boolean;
  /** What comes from other isolated ports of the bridge does not go to this one. */
  readonly isIsolated: boolean;
}

export interface MakeSandboxRequest {
  readonly netnsPath: string;
  readonly sysctls: Sysctls;
  /** Left out: a sandbox with nothing but its loopback. */
  readonly veth?: VethRequest;
}

export interface AddVethRequest {
  readonly netnsPath: string;
  readonly veth: VethRequest;
}

export interface ConfigureRequest {
  readonly netnsPath: string;
  readonly interfaceName: string;
  readonly mac: string;
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  /** Left out: no default route through this interface. */
  readonly gateways: readonly string[];
  /** With IFNAME for its name. */
  readonly sysctls?: Sysctls;
}

export interface RemoveSandboxRequest {
  readonly netnsPath: string;
  readonly hostLinks: readonly string[];
}

export function sandboxOperations(tools: SandboxTools) {
  return {
    makeSandbox: (request: MakeSandboxRequest) => makeSandbox(tools, request),
    addVeth: (request: AddVethRequest) =>
      tools.namespaces.enter(request.netnsPath, (fd) => addVeth(tools, request.veth, fd)),
    configureInterface: (request: ConfigureRequest) => configureInterface(tools, request),
    openDnsSockets: (netnsPath: string) => openDnsSockets(tools, netnsPath),
    joinBridge: (request: JoinRequest) => joinBridge(tools, request),
    removeVeth: (hostLink: string) => removeVeth(tools, hostLink),
    removeSandbox: (request: RemoveSandboxRequest) => removeSandbox(tools, request),
  };
}

/** Loopback and the veth are up, the latter without an address: what is left for `configureInterface` is 0.1 ms. */
function makeSandbox(tools: SandboxTools, { netnsPath, sysctls, veth }: MakeSandboxRequest): void {
  tools.namespaces.make(netnsPath, (fd) => {
    writeSysctls(sysctls);
    using inside = new NetlinkSocket(tools.calls);
    inside.execute([setLink("lo", { isUp: true })]);
    if (veth !== undefined) addVeth(tools, veth, fd);
  });
}

/** Runs inside the sandbox; the pair is made from the host's side, which alone can make its end a port of the bridge. */
function addVeth(tools: SandboxTools, veth: VethRequest, netnsFd: number): void {
  const bridge = getLink(tools.host, veth.bridge);
  const mtu = veth.mtu === undefined ? {} : { mtu: veth.mtu };
  const peer = { name: veth.interfaceName, netnsFd };
  tools.host.execute([createVeth({ name: veth.hostLink, masterIndex: bridge.index, ...mtu, peer })]);
  try {
    setFlags(tools, veth);
    using inside = new NetlinkSocket(tools.calls);
    inside.execute([setLink(veth.interfaceName, { isUp: true })]);
  } catch (error) {
    removeVeth(tools, veth.hostLink);
    throw error;
  }
}

/** Address before MAC: the change of the MAC then announces the address (arp_notify), should a neighbour know another. */
function configureInterface(tools: SandboxTools, request: ConfigureRequest): void {
  tools.namespaces.enter(request.netnsPath, () => {
    using inside = new NetlinkSocket(tools.calls);
    const { index: linkIndex } = getLink(inside, request.interfaceName);
    switchIpv6(request);
    inside.execute([
      ...request.addresses.map((one): LinkAddress => ({ ...one, linkIndex })).map(addAddress),
      setLink(linkIndex, { mac: request.mac }),
      ...request.gateways.map((gateway) => addRoute({ gateway, linkIndex })),
    ]);
    writeInterfaceSysctls(request.interfaceName, request.sysctls ?? {});
  });
}

/** A sandbox's interfaces begin as its first network has it; one with other addresses differs. */
function switchIpv6({ interfaceName, addresses }: ConfigureRequest): void {
  const isDisabled = addresses.some(({ address }) => familyOf(address) === 6) ? "0" : "1";
  const name = `net/ipv6/conf/${interfaceName}/disable_ipv6`;
  if (readSysctl(name) !== isDisabled) writeSysctls({ [name]: isDisabled });
}

type JoinRequest = Pick<VethRequest, "hostLink" | "bridge" | "isHairpin" | "isIsolated">;

function joinBridge(tools: SandboxTools, request: JoinRequest): void {
  tools.host.execute([setLink(request.hostLink, { masterIndex: getLink(tools.host, request.bridge).index })]);
  setFlags(tools, request);
}

/** A port begins without them, also when it joins a bridge again. */
function setFlags({ host }: SandboxTools, { hostLink, isHairpin, isIsolated }: JoinRequest): void {
  if (isHairpin || isIsolated) host.execute([setPortFlags(getLink(host, hostLink).index, { isHairpin, isIsolated })]);
}

/** 10 to 60 ms in the kernel (it waits for every CPU), so not where somebody waits. No such link is no error. */
function removeVeth({ host }: SandboxTools, hostLink: string): void {
  try {
    host.execute([deleteLink(hostLink)]);
  } catch (error) {
    if (!isErrno(error, "ENODEV")) throw error;
  }
}

/**
 * Takes the links off their bridges, so that nothing is sent to them any more, and lets go of the namespace: 0.3 ms.
 * The kernel deletes namespace and links in its own time. Done again it changes nothing.
 */
function removeSandbox({ host, namespaces }: SandboxTools, { netnsPath, hostLinks }: RemoveSandboxRequest): void {
  for (const hostLink of hostLinks) {
    try {
      host.execute([setLink(hostLink, { masterIndex: 0 })]);
    } catch (error) {
      if (!isErrno(error, "ENODEV")) throw error;
    }
  }
  namespaces.remove(netnsPath);
}
