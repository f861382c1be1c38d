import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inParallel } from "../../services/kit/parallel.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";
import type { Addresses } from "../clients.ts";
import { SERVICES, type ServiceName } from "../settings.ts";
import { Replica } from "./replica.ts";

const PROGRAMS = {
  images: new URL("../../services/images/main.ts", import.meta.url),
  containers: new URL("../../services/containers/main.ts", import.meta.url),
  networks: new URL("../../services/networks/main.ts", import.meta.url),
  volumes: new URL("../../services/volumes/main.ts", import.meta.url),
} as const satisfies Record<ServiceName, URL>;

export interface ServicesSettings {
  readonly config: string;
  /** Ours, for them: OpenTelemetry's variables above all. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly root: string;
  readonly run: string;
  readonly instance: string;
  readonly logLevel: string;
  readonly scale: ReadonlyMap<ServiceName, number>;
  /** The database's URL with a service's own role in it. */
  readonly databaseUrl: (service: ServiceName) => string;
  readonly log: Logger;
}

export interface SupervisedServices {
  readonly addresses: Addresses;
  readonly replicas: Readonly<Record<ServiceName, readonly Replica[]>>;
  /** Restarts what dies, until the signal aborts. */
  keep(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** The services' processes, running and serving: adopted where they run already, started where not, all at once. */
export async function startServices(settings: ServicesSettings, signal: AbortSignal): Promise<SupervisedServices> {
  const internal = join(settings.run, "internal");
  await mkdir(internal, { recursive: true, mode: 0o700 });
  const replicas = {
    images: replicasOf("images", settings, internal),
    containers: replicasOf("containers", settings, internal),
    networks: replicasOf("networks", settings, internal),
    volumes: replicasOf("volumes", settings, internal),
  };
  const all = SERVICES.flatMap((name) => replicas[name]);
  try {
    await inParallel(all, (replica, s) => replica.start(s), signal);
  } catch (error) {
    await Promise.all(all.map((replica) => replica.stop()));
    throw error;
  }
  return {
    replicas,
    addresses: {
      images: addressesOf(replicas.images),
      containers: addressesOf(replicas.containers),
      networks: addressesOf(replicas.networks),
      volumes: addressesOf(replicas.volumes),
    },
    keep: async (keepSignal) => {
      await Promise.all(all.map((replica) => replica.keep(keepSignal)));
    },
    stop: async () => {
      await Promise.all(all.map((replica) => replica.stop()));
    },
  };
}

function addressesOf(replicas: readonly Replica[]): string[] {
  return replicas.map((replica) => `unix:${replica.socket}`);
}

function replicasOf(service: ServiceName, settings: ServicesSettings, internal: string): Replica[] {
  return Array.from({ length: settings.scale.get(service) ?? 1 }, (_, index) => {
    const name = `${service}-${index}`;
    const socket = join(internal, `${name}.sock`);
    const args = [
      `--root=${settings.root}`,
      `--run=${settings.run}`,
      `--instance=${settings.instance}`,
      `--log-level=${settings.logLevel}`,
      `--database-url=${settings.databaseUrl(service)}`,
    ];
    // not as a flag: a file that is named by a flag must exist
    const env = { ...settings.env, CTL_CONFIG: settings.config };
    const program = fileURLToPath(PROGRAMS[service]);
    return new Replica({ name, program, args, env, socket, log: settings.log });
  });
}
