import { join } from "node:path";
import { hostRoot } from "../../kit/linux/user-mapping.ts";
import { type ConfigRequest, containerConfig, hostFilePaths, hostnameOf } from "./config.ts";
import type { HostFacts } from "./host-facts.ts";
import { type HostsLine, hostnameFile, hostsFile, resolvConfFile } from "./host-files.ts";
import type { OciConfig } from "./oci-config.ts";
import type { BundleFiles } from "./write-files.ts";

declare global {
  interface JSON {
    /** A piece of JSON as it is: how a number above 2⁵³ is written. */
    rawJSON(text: string): unknown;
  }
}

export interface BundleRequest extends ConfigRequest {
  /** The container's own addresses in its networks, for /etc/hosts. */
  readonly addresses: readonly string[];
  /** What `host-gateway` stands for in extra hosts; empty: they cannot have it. */
  readonly hostGateway: string;
  /** resolv.conf as the network gives it. */
  readonly resolvConf: string;
  readonly others: ConfigRequest["others"] & { readonly links: readonly HostsLine[] };
}

/** By the host's thread. */
export type WriteFiles = (files: BundleFiles) => Promise<void>;

/**
 * Writes a bundle into a directory that is there: config.json, hosts, hostname, resolv.conf. Written anew before every run
 * and never synced: after a power cut nothing runs, so nothing reads it. About 1 ms. Throws what `containerConfig` does.
 */
export async function writeBundle(request: BundleRequest, facts: HostFacts, write: WriteFiles): Promise<OciConfig> {
  const { bundlePath, spec } = request;
  const config = await containerConfig(request, facts);
  const paths = hostFilePaths(bundlePath);
  const hostname = hostnameOf(request);
  const extraHosts = spec.extraHosts.map((one) => one.replace(/(?<=[:=])host-gateway$/, request.hostGateway));
  // as in Docker, the container's root may change those that it sees
  const owner = spec.userMapping === undefined ? {} : { owner: hostRoot(spec.userMapping) };
  const hosts = hostsFile({
    ...{ hostname, domainname: spec.domainname, addresses: request.addresses, extraHosts },
    links: request.others.links,
  });
  await write({
    directory: bundlePath,
    stale: RUN_FILES,
    files: [
      { path: join(bundlePath, "config.json"), text: configText(config), mode: 0o600 },
      { path: paths.hostname, text: hostnameFile(hostname), mode: 0o644, ...owner },
      { path: paths.resolvConf, text: resolvConfFile(spec.dns, request.resolvConf), mode: 0o644, ...owner },
      { path: paths.hosts, text: hosts, mode: 0o644, ...owner },
    ],
  });
  return config;
}

/** What an earlier run left that a new one must not find: an OOM mark, the FIFOs of a monitor that is gone. */
const RUN_FILES = ["oom", "attach", "ctl", "winsz", "pidfile", "conmon.pid"] as const;

export function configText(config: unknown): string {
  return JSON.stringify(config, (_key, value: unknown) =>
    typeof value === "bigint" ? JSON.rawJSON(String(value)) : value,
  );
}
