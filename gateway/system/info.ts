import type { InfoResponse, ServiceInfo } from "#proto/ctl/gateway/v1/gateway.ts";
import { allOf } from "../../services/kit/parallel.ts";
import { timestampOf } from "../../services/kit/timestamp.ts";
import type { Clients } from "../clients.ts";
import { hostFacts } from "./host.ts";

export interface InfoDeps {
  readonly clients: Clients;
  readonly nodeId: string;
  readonly instance: string;
  readonly root: string;
  readonly registries: Readonly<Record<string, { readonly mirrors?: readonly { readonly url: string }[] | undefined }>>;
  readonly insecureRegistries: readonly string[];
  /** The services' processes as the supervisor sees them; none when they run by themselves. */
  readonly services: (signal: AbortSignal) => Promise<readonly ServiceInfo[]>;
}

export async function info(deps: InfoDeps, signal: AbortSignal): Promise<InfoResponse> {
  const [runtime, usage, services] = await allOf(
    [
      (s: AbortSignal) => deps.clients.containers.getRuntimeInfo({}, { signal: s }),
      (s: AbortSignal) => deps.clients.layers.usage({}, { signal: s }),
      (s: AbortSignal) => deps.services(s),
    ],
    signal,
  );
  const host = hostFacts();
  return {
    id: deps.nodeId,
    name: host.name,
    instance: deps.instance,
    root: deps.root,
    containers: runtime.running + runtime.paused + runtime.stopped,
    running: runtime.running,
    paused: runtime.paused,
    stopped: runtime.stopped,
    images: usage.imageCount,
    cpuCount: host.cpuCount,
    memoryBytes: host.memoryBytes,
    kernel: host.kernel,
    operatingSystem: host.operatingSystem,
    architecture: host.architecture,
    cgroupMode: runtime.cgroupMode,
    runtime: runtime.runtime,
    runtimeVersion: runtime.runtimeVersion,
    monitorVersion: runtime.monitorVersion,
    services: [...services],
    mirrors: Object.entries(deps.registries).map(([registry, { mirrors = [] }]) => ({
      registry,
      urls: mirrors.map(({ url }) => url),
    })),
    warnings: runtime.warnings,
    systemTime: timestampOf(new Date()),
    securityOptions: runtime.securityOptions,
    insecureRegistries: [...deps.insecureRegistries],
  };
}
