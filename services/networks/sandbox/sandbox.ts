import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { SyscallError } from "../../kit/linux/libc.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import { type HostNames, isOurs, vethName } from "../names.ts";
import type { Link } from "../netlink/links.ts";
import type { NetworksThread } from "../thread/start.ts";
import { readSysctl, type Sysctls, sandboxSysctls } from "./sysctls.ts";

/** What sandboxes are made of on this host. */
export interface SandboxDeps {
  readonly thread: NetworksThread;
  readonly names: HostNames;
  /** Directory of the bind mounts that keep the namespaces, /run/ctl/netns. */
  readonly netnsDirectory: string;
}

/** A network namespace for one container. It outlives this process: what is remembered of it is enough to remove it. */
export interface Sandbox {
  /** The name of its mount, 12 hexadecimal digits. */
  readonly id: string;
  readonly netnsPath: string;
  readonly veths: readonly Veth[];
}

export interface Veth {
  readonly networkId: string;
  /** Its end on the host. */
  readonly hostLink: string;
  /** Its end in the sandbox: eth0. */
  readonly interfaceName: string;
}

/** The bridge that a sandbox is attached to. */
export interface Attachment {
  readonly networkId: string;
  readonly bridge: string;
  readonly mtu?: number;
  readonly hasIpv6: boolean;
  /** What is attached does not reach its neighbours. */
  readonly isIsolated?: boolean;
  /** Of interfaces' names; left out: `eth`. */
  readonly interfacePrefix?: string;
}

export interface InterfaceSettings {
  readonly mac: string;
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  /** At most one of each family: the default routes. */
  readonly gateways: readonly string[];
  /** Of this interface, with IFNAME for its name. */
  readonly sysctls?: Sysctls;
}

/** 12 hexadecimal digits: random ones first, which is what fits into a link's name, then the maker's mark. */
export function newSandboxId(mark = randomBytes(2).toString("hex")): string {
  return `${randomBytes(4).toString("hex")}${mark}`;
}

/** The veth pair by which a sandbox hangs on its first network: told from its id, so that no row need say it. */
export function firstVeth({ names }: Pick<SandboxDeps, "names">, sandboxId: string, networkId: string): Veth {
  return { networkId, hostLink: vethName(names, sandboxId), interfaceName: "eth0" };
}

function attachedVeth(deps: SandboxDeps, id: string, { networkId, interfacePrefix = "eth" }: Attachment): Veth {
  return { ...firstVeth(deps, id, networkId), interfaceName: `${interfacePrefix}0` };
}

export function netnsPathOf({ netnsDirectory }: Pick<SandboxDeps, "netnsDirectory">, sandboxId: string): string {
  return join(netnsDirectory, sandboxId);
}

/**
 * A new sandbox: loopback up, and on the bridge its eth0, up and without an address; without an attachment loopback
 * alone. 1.2 ms (2 cores), 0.5 ms of it for the namespace. On failure nothing is left.
 * Throws UNAVAILABLE NETNS_REFUSED.
 */
export function makeSandbox(deps: SandboxDeps, attachment?: Attachment, id = newSandboxId()): Promise<Sandbox> {
  return inSpan("sandbox.make", {}, async () => {
    const netnsPath = netnsPathOf(deps, id);
    const veths = attachment === undefined ? [] : [attachedVeth(deps, id, attachment)];
    await mkdir(deps.netnsDirectory, { recursive: true, mode: 0o755 });
    const [veth] = veths;
    await refusable("make a sandbox", () =>
      deps.thread.call("makeSandbox", {
        netnsPath,
        sysctls: sandboxSysctls(attachment?.hasIpv6 ?? false),
        ...(attachment === undefined || veth === undefined ? {} : { veth: vethRequest(veth, attachment) }),
      }),
    );
    return { id, netnsPath, veths };
  });
}

/** One more interface, without an address yet, for a sandbox that may be running. 0.7 ms. */
export async function addVeth(deps: SandboxDeps, netnsPath: string, veth: Veth, attachment: Attachment): Promise<void> {
  await refusable(`attach to ${attachment.bridge}`, () =>
    deps.thread.call("addVeth", { netnsPath, veth: vethRequest(veth, attachment) }),
  );
}

/** Addresses, MAC and default routes of an interface: 0.15 ms. Done again it changes nothing. */
export function configureInterface(
  deps: SandboxDeps,
  netnsPath: string,
  veth: Veth,
  settings: InterfaceSettings,
): Promise<void> {
  return inSpan("sandbox.configure", {}, () =>
    refusable(`configure ${veth.interfaceName}`, () =>
      deps.thread.call("configureInterface", {
        netnsPath,
        interfaceName: veth.interfaceName,
        ...settings,
      }),
    ),
  );
}

/** Makes the veth a port of its bridge again, which it is no longer when somebody deleted that. */
export async function joinBridge(deps: SandboxDeps, hostLink: string, attachment: Attachment): Promise<void> {
  const { bridge } = attachment;
  const request = { hostLink, bridge, ...portFlags(attachment) };
  await refusable(`attach ${hostLink} to ${bridge}`, () => deps.thread.call("joinBridge", request));
}

/** Takes an interface away from a sandbox that stays; 10 to 60 ms in the kernel. None is no error. */
export async function removeVeth(deps: SandboxDeps, veth: Veth): Promise<void> {
  await refusable(`detach ${veth.interfaceName}`, () => deps.thread.call("removeVeth", veth.hostLink));
}

/**
 * Lets go of a sandbox: at once it is off its bridges; the kernel takes namespace and links apart, within 100 ms, when no
 * process is in it any more. Idempotent.
 */
export function removeSandbox(deps: SandboxDeps, sandbox: Sandbox): Promise<void> {
  const { netnsPath, veths } = sandbox;
  const hostLinks = veths.map((veth) => veth.hostLink);
  return inSpan("sandbox.remove", {}, () =>
    refusable("remove a sandbox", () => deps.thread.call("removeSandbox", { netnsPath, hostLinks })),
  );
}

export interface HostObjects {
  /** Paths of our namespaces' mounts. */
  readonly netnsPaths: readonly string[];
  /** Our bridges and host ends. */
  readonly links: readonly Link[];
}

/** Everything on the host that this instance made, whoever remembers it: for reconcile and leakcheck. */
export async function listHostObjects(deps: SandboxDeps): Promise<HostObjects> {
  const files = await readdir(deps.netnsDirectory).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  const links = await deps.thread.call("listLinks", undefined);
  return {
    netnsPaths: files.sort().map((file) => join(deps.netnsDirectory, file)),
    links: links.filter((link) => isOurs(deps.names, link)),
  };
}

/**
 * With bridge-nf-call-iptables the bridge itself turns hairpins back, which isolated ports would not let through: there the
 * table's forward chain keeps neighbours apart. Where it does so for one family alone, isolation has the last word.
 */
function portFlags({ isIsolated = false, hasIpv6 }: Attachment) {
  const switches = ["iptables", ...(hasIpv6 ? ["ip6tables"] : [])].map((one) => `net/bridge/bridge-nf-call-${one}`);
  const filtered = switches.map((name) => readSysctl(name) === "1");
  return { isHairpin: filtered.includes(true), isIsolated: isIsolated && filtered.includes(false) };
}

function vethRequest(veth: Veth, attachment: Attachment) {
  const { bridge, mtu } = attachment;
  return {
    hostLink: veth.hostLink,
    interfaceName: veth.interfaceName,
    bridge,
    ...portFlags(attachment),
    ...(mtu === undefined ? {} : { mtu }),
  };
}

async function refusable<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new CtlError("UNAVAILABLE", {
      reason: "NETNS_REFUSED",
      what,
      why: `the kernel refused: ${error.message}`,
      fix: "look at the daemon's log; it needs CAP_SYS_ADMIN and CAP_NET_ADMIN, and the network's bridge",
      cause: error,
    });
  }
}
