import type { Platform } from "#proto/ctl/common/v1/common.ts";
import type { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import type { Image, PullResponse, RegistryAuth } from "#proto/ctl/images/v1/images.ts";
import {
  type Endpoint,
  EndpointRequest,
  type PortRequest,
  type PublishedPort,
} from "#proto/ctl/networks/v1/networks.ts";
import { MountRequest, MountType, type ResolvedMount } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError, isCtlError } from "../../services/kit/errors.ts";
import { inParallel } from "../../services/kit/parallel.ts";
import type { Clients } from "../clients.ts";
import type { OperationState, Step } from "./operation.ts";
import { refuseNetworkConflicts, sharesNetwork } from "./shared-network.ts";
import { checkSources, mountsFrom } from "./volumes-from.ts";

export type PullChoice = "missing" | "always" | "never";

/** What create, run and start work on; each step adds what later ones need. */
export interface StartState extends OperationState {
  readonly clients: Clients;
  readonly pull: PullChoice;
  readonly auth: RegistryAuth | undefined;
  readonly onPull: (progress: PullResponse) => void;
  readonly warnings: string[];
  /** The caller's wish; `start` reads it from the container's row in its first step. */
  spec: ContainerSpec | undefined;
  image?: Image;
  layers?: readonly string[];
  layersDirectory?: string;
  name?: string;
  netnsPath?: string;
  endpoints?: readonly Endpoint[];
  ports?: readonly PublishedPort[];
  resolvConf?: string;
  mounts?: readonly ResolvedMount[];
  /** What it was given at an earlier start. */
  earlierMounts?: readonly ResolvedMount[];
  rootfsPath?: string;
  /** False: it ran already. */
  changed?: boolean;
  /** The root of a new container is mounted behind the answer of its creation. */
  readonly startFollows?: boolean;
}

/** Leases the image to the container, pulling it first where the caller's choice says so. */
export const acquireImage: Step<StartState> = {
  name: "images.acquire",
  do: async (state, signal) => {
    const spec = specOf(state);
    if (state.pull === "always") await pull(state, spec, signal);
    const acquired = await acquireLocal(state, spec, signal).catch(async (error: unknown) => {
      if (state.pull !== "missing" || !isCtlError(error, "NOT_FOUND")) throw error;
      await pull(state, spec, signal);
      return acquireLocal(state, spec, signal);
    });
    state.image = acquired.image ?? missing("the image", "images.Acquire");
    state.layers = acquired.layers;
    state.layersDirectory = acquired.layersDirectory;
  },
  undo: async ({ clients, operation, subject }, signal) => {
    await clients.layers.undoAcquire({ holder: { holder: subject, operation } }, { signal });
  },
};

function acquireLocal({ clients, operation, subject, image }: StartState, spec: ContainerSpec, signal: AbortSignal) {
  const reference = image?.id ?? spec.image;
  return clients.layers.acquire(
    { holder: { holder: subject, operation }, reference, platform: platformOf(spec) },
    { signal },
  );
}

async function pull({ clients, auth, onPull }: StartState, spec: ContainerSpec, signal: AbortSignal): Promise<void> {
  const request = { reference: spec.image, platform: platformOf(spec), auth };
  for await (const progress of clients.images.pull(request, { signal })) onPull(progress);
}

function platformOf({ platform }: ContainerSpec): Platform | undefined {
  if (platform === "") return undefined;
  const [os = "", architecture = "", variant = ""] = platform.split("/");
  return { os, architecture, variant };
}

/** Rows and the reserved name; nothing on the host. */
export const createContainer: Step<StartState> = {
  name: "containers.create",
  do: async (state, signal) => {
    const { clients, operation, subject, image, layers = [], layersDirectory = "" } = state;
    const startFollows = isPreparedByCreate(state);
    refuseNetworkConflicts(specOf(state));
    await checkSources(state, specOf(state).volumesFrom, signal);
    const created = await clients.containers.createContainer(
      { id: subject, operation, spec: specOf(state), image, layers: [...layers], layersDirectory, startFollows },
      { signal },
    );
    state.name = created.name;
    state.warnings.push(...created.warnings);
  },
  undo: async ({ clients, operation, subject }, signal) => {
    await clients.containers.undoCreate({ id: subject, operation }, { signal });
  },
};

export const acquireVolumes: Step<StartState> = {
  name: "volumes.acquire",
  do: async (state, signal) => {
    const { clients, operation, subject } = state;
    const spec = specOf(state);
    const others = spec.volumesFrom.length > 0 ? await mountsFrom(state, spec.volumesFrom, spec.mounts, signal) : [];
    const mounts = mountsOf([...spec.mounts, ...others], imageOf(state));
    if (mounts.length === 0) {
      state.mounts = [];
      return;
    }
    const acquired = await clients.volumes.acquire({ holder: { holder: subject, operation }, mounts }, { signal });
    state.mounts = acquired.mounts;
    state.warnings.push(...acquired.warnings);
  },
  undo: async ({ clients, operation, subject }, signal) => {
    await clients.volumes.undoAcquire({ holder: { holder: subject, operation } }, { signal });
  },
};

/** The caller's mounts, then the image's VOLUMEs that no caller's mount lies on. */
function mountsOf(asked: readonly MountRequest[], image: Image): MountRequest[] {
  const taken = new Set(asked.map((mount) => mount.target));
  const fromImage = (image.config?.volumes ?? []).filter((target) => !taken.has(target));
  return [...asked, ...fromImage.map(imageVolume)];
}

function imageVolume(target: string): MountRequest {
  return MountRequest.fromPartial({ type: MountType.VOLUME, target, isFromImage: true });
}

/** A sandbox, addresses and published ports for a new container. */
export const acquireNetworks: Step<StartState> = {
  name: "networks.acquire",
  do: async (state, signal) => {
    const { clients, operation, subject } = state;
    const spec = specOf(state);
    if (sharesNetwork(spec)) return;
    const acquired = await clients.networks.acquire(
      {
        holder: { holder: subject, operation },
        holderName: state.name ?? spec.name,
        endpoints: endpointsOf(spec),
        ports: portsOf(spec, imageOf(state).config?.exposedPorts ?? []),
        dnsServers: spec.dnsServers,
      },
      { signal },
    );
    state.netnsPath = acquired.netnsPath;
    state.endpoints = acquired.endpoints;
    state.ports = acquired.ports;
    state.resolvConf = acquired.resolvConf;
    state.warnings.push(...acquired.warnings);
  },
  undo: async ({ clients, operation, subject }, signal) => {
    await clients.networks.undoAcquire({ holder: { holder: subject, operation } }, { signal });
  },
};

/** The same for a container that was started before: undone, it keeps the addresses that it had. */
export const reacquireNetworks: Step<StartState> = {
  name: acquireNetworks.name,
  do: acquireNetworks.do,
  undo: async (state, signal) => {
    await acquireNetworks.undo?.(state, signal);
    await state.clients.networks.deactivate({ holder: state.subject }, { signal });
  },
};

/** `--link` speaks of the first network; on the default one it is lines of /etc/hosts, which the container's service writes. */
function endpointsOf({ endpoints, links }: ContainerSpec): EndpointRequest[] {
  const [first = DEFAULT_ENDPOINT, ...others] = endpoints;
  const isNamed = !["", "default", "bridge", "host", "none"].includes(first.network) && !first.network.includes(":");
  if (!isNamed || links.length === 0) return [first, ...others];
  return [{ ...first, links: [...new Set([...first.links, ...links])] }, ...others];
}

const DEFAULT_ENDPOINT = EndpointRequest.fromPartial({ network: "bridge" });

/** What is to be published: with `-P` also what the image and the caller expose. */
export function portsOf(spec: ContainerSpec, exposedPorts: readonly string[]): PortRequest[] {
  if (!spec.publishAll) return spec.ports;
  const published = new Set(spec.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const exposed = new Set([...exposedPorts, ...spec.exposedPorts]);
  const added = [...exposed]
    .map(exposedPort)
    .filter((port) => !published.has(`${port.containerPort}/${port.protocol}`));
  return [...spec.ports, ...added];
}

function exposedPort(text: string): PortRequest {
  const [port = "", protocol = "tcp"] = text.split("/");
  return { containerPort: Number(port), protocol, hostIp: "", hostPort: 0, hostPortEnd: 0 };
}

/** Bundle directory and mounted root: it needs neither network nor volumes, so it runs beside their steps. */
export const prepareContainer: Step<StartState> = {
  name: "containers.prepare",
  do: async (state, signal) => {
    const { clients, operation, subject, layers = [], layersDirectory = "" } = state;
    if (isPreparedByCreate(state)) return;
    const request = { ref: subject, operation, layers: [...layers], layersDirectory, mounts: [] };
    state.rootfsPath = (await clients.containers.prepareContainer(request, { signal })).rootfsPath;
  },
  undo: async (state, signal) => undoStart(state, signal),
};

/** Nobody needs to know where a root is but who copies from it into volumes. */
function isPreparedByCreate(state: StartState): boolean {
  const { mounts, volumesFrom } = specOf(state);
  return state.startFollows === true && volumesFrom.length === 0 && mountsOf(mounts, imageOf(state)).length === 0;
}

/** Volumes that are empty get what the image has at their target: that can be read only from the mounted root. */
export const copyUp: Step<StartState> = {
  name: "volumes.copyUp",
  do: async ({ clients, operation, subject, mounts = [], rootfsPath = "" }, signal) => {
    const empty = mounts.filter((mount) => mount.needsCopyUp);
    const holder = { holder: subject, operation };
    const copy = (mount: ResolvedMount, s: AbortSignal) =>
      clients.volumes.copyUp(
        { holder, volume: mount.name, rootfs: rootfsPath, target: mount.target },
        { signal: s, timeoutMs: COPY_UP_TIMEOUT_MS },
      );
    await inParallel(empty, copy, signal, 2);
  },
};

const COPY_UP_TIMEOUT_MS = 600_000;

export const startContainer: Step<StartState> = {
  name: "containers.start",
  outlivesCaller: true,
  do: async (state, signal) => {
    const {
      clients,
      operation,
      subject,
      netnsPath = "",
      endpoints = [],
      ports = [],
      mounts = [],
      resolvConf = "",
    } = state;
    const started = await clients.containers.startContainer(
      {
        ref: subject,
        operation,
        netnsPath,
        endpoints: [...endpoints],
        ports: [...ports],
        mounts: [...mounts],
        resolvConf,
      },
      { signal },
    );
    state.changed = started.changed;
  },
  undo: async (state, signal) => undoStart(state, signal),
};

async function undoStart({ clients, operation, subject }: StartState, signal: AbortSignal): Promise<void> {
  await clients.containers.undoStart({ ref: subject, operation }, { signal });
}

function specOf(state: StartState): ContainerSpec {
  return state.spec ?? missing("the container's specification", "an earlier step");
}

function imageOf(state: StartState): Image {
  return state.image ?? missing("the image", "an earlier step");
}

function missing(what: string, from: string): never {
  throw new CtlError("INTERNAL", {
    reason: "INTERNAL",
    what: "start a container",
    why: `${from} did not give ${what}`,
  });
}
