import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ConfigRequest, containerConfig, hostFilePaths, hostnameOf } from "./config.ts";
import type { HostFacts } from "./host-facts.ts";
import { type HostsLine, hostnameFile, hostsFile, resolvConfFile } from "./host-files.ts";
import type { OciConfig } from "./oci-config.ts";

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

/**
 * Writes a bundle: config.json, hosts, hostname, resolv.conf. Written anew before every run and never synced: after a
 * power cut nothing runs, so nothing reads it. About 1 ms. Throws what `containerConfig` does.
 */
export async function writeBundle(request: BundleRequest, facts: HostFacts): Promise<OciConfig> {
  const { bundlePath, spec } = request;
  const config = await containerConfig(request, facts);
  const files = hostFilePaths(bundlePath);
  const hostname = hostnameOf(request);
  const extraHosts = spec.extraHosts.map((one) => one.replace(/(?<=[:=])host-gateway$/, request.hostGateway));
  await mkdir(bundlePath, { recursive: true, mode: 0o711 });
  await Promise.all([
    writeFile(join(bundlePath, "config.json"), configText(config), { mode: 0o600 }),
    writeFile(files.hostname, hostnameFile(hostname), { mode: 0o644 }),
    writeFile(files.resolvConf, resolvConfFile(spec.dns, request.resolvConf), { mode: 0o644 }),
    writeFile(
      files.hosts,
      hostsFile({
        ...{ hostname, domainname: spec.domainname, addresses: request.addresses, extraHosts },
        links: request.others.links,
      }),
      { mode: 0o644 },
    ),
  ]);
  return config;
}

/** What an earlier run left that a new one must not find: an OOM mark, the FIFOs of a monitor that is gone. */
export async function clearRunFiles(bundlePath: string): Promise<void> {
  const there = new Set(await readdir(bundlePath));
  const left = RUN_FILES.filter((name) => there.has(name));
  await Promise.all(left.map((name) => rm(join(bundlePath, name), { force: true })));
}

const RUN_FILES = ["oom", "attach", "ctl", "winsz", "pidfile", "conmon.pid"] as const;

export function configText(config: unknown): string {
  return JSON.stringify(config, (_key, value: unknown) =>
    typeof value === "bigint" ? JSON.rawJSON(String(value)) : value,
  );
}
