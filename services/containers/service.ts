import { type CreateContainerRequest, WaitCondition as WaitCode } from "#proto/ctl/containers/v1/containers.ts";
import { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { ImageConfig } from "#proto/ctl/images/v1/images.ts";
import { CtlError } from "../kit/errors.ts";
import { watchEvents } from "../kit/grpc/events.ts";
import { type Handlers, implement } from "../kit/grpc/handlers.ts";
import { parsePage } from "../kit/grpc/page.ts";
import type { BoundService } from "../kit/grpc/server.ts";
import { recordPrune } from "../kit/outbox.ts";
import { inParallel } from "../kit/parallel.ts";
import type { EventFeed } from "../kit/watch.ts";
import type { ArchiveThreads } from "./archive/threads.ts";
import { commandOf } from "./bundle/command.ts";
import { linuxResources } from "./cgroups/limits.ts";
import { createContainer, undoCreate } from "./create.ts";
import type { DetachedExecs } from "./exec/detached-execs.ts";
import type { RunEnds } from "./exits/ends.ts";
import { findContainer } from "./find.ts";
import { killContainer } from "./kill.ts";
import { listContainers } from "./list.ts";
import { type LogConfig, withDefaults } from "./logs/drivers/driver.ts";
import { containerPaths } from "./paths.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import type { Preparations } from "./preparations.ts";
import { prepareContainer } from "./prepare.ts";
import { recordPorts } from "./record-ports.ts";
import type { Removals, RemoveDeps } from "./remove.ts";
import { rename } from "./rename.ts";
import { restartContainer } from "./restart.ts";
import { type ContainerSize, ContainerSizes } from "./rootfs/sizes.ts";
import { changeNetworks } from "./run/change-networks.ts";
import { checkOthers } from "./run/others.ts";
import { runtimeNamed } from "./runtime/choose.ts";
import { exportCall, listChangesCall, readArchiveCall, statPathCall, writeArchiveCall } from "./service/archive.ts";
import { networksChange } from "./service/change-networks.ts";
import { execHandlers } from "./service/exec.ts";
import { ListedBytes } from "./service/listed-bytes.ts";
import { exposedPortsOf, LISTING_SERVICE, listedBytes, summaryOf, withSummaries } from "./service/listing.ts";
import {
  containerMessage,
  dueMessage,
  parseDue,
  parseGiven,
  parseGivenMount,
  type ShownExtras,
} from "./service/messages.ts";
import { imageDefaults, parseSpec, parseUpdate, rewish } from "./service/spec.ts";
import { statsCall } from "./service/stats.ts";
import { attachCall, logsCall } from "./service/streams.ts";
import { parseSize } from "./service/terminal-size.ts";
import { userMappingFor } from "./spec/user-namespace.ts";
import { type StartDeps, startContainer, undoStart } from "./start.ts";
import { StatsSampler } from "./stats/sampler.ts";
import { stopContainer } from "./stop.ts";
import { type ContainerRow, countStates } from "./store/containers.ts";
import { clearSandbox, clearWantStart, dueContainers } from "./store/due.ts";
import { execIdsOf } from "./store/execs.ts";
import { healthOf } from "./store/health.ts";
import { type ListedRow, type ListedVersion, layersOf, listedRows } from "./store/listing.ts";
import type { ForegroundClients } from "./streams/foreground.ts";
import { resizeContainer } from "./streams/resize.ts";
import { topContainer } from "./top.ts";
import { updateContainer } from "./update.ts";
import { type WaitCondition, waitContainer } from "./wait.ts";

const WEIGHED_AT_ONCE = 4;

export interface ContainersDeps extends StartDeps, RemoveDeps {
  readonly node: string;
  readonly feed: EventFeed;
  readonly ends: RunEnds;
  readonly preparations: Preparations;
  readonly removals: Removals;
  readonly detached: DetachedExecs;
  readonly foreground: ForegroundClients;
  readonly archives: ArchiveThreads;
  /** Of who names no driver, from the configuration. */
  readonly logging: LogConfig;
}

export function containersServices(deps: ContainersDeps): BoundService[] {
  return [{ definition: LISTING_SERVICE, implementation: implement(LISTING_SERVICE, handlers(deps), deps.log) }];
}

/** The gRPC surface: requests become narrow types here, and rows become messages. */
function handlers(deps: ContainersDeps): Handlers<typeof LISTING_SERVICE> {
  return {
    ...lifecycleHandlers(deps),
    ...viewHandlers(deps),
    ...streamHandlers(deps),
    ...execHandlers(deps),
    ...fileHandlers(deps),
  };
}

function fileHandlers(deps: ContainersDeps) {
  return {
    statPath: (request, { signal }) => statPathCall(request, deps, signal),
    readArchive: (request, { signal }) => readArchiveCall(request, deps, signal),
    writeArchive: (requests, { signal }) => writeArchiveCall(requests, deps, signal),
    listChanges: (request, { signal }) => listChangesCall(request, deps, signal),
    exportContainer: (request, { signal }) => exportCall(request, deps, signal),
  } satisfies Partial<Handlers<typeof LISTING_SERVICE>>;
}

function lifecycleHandlers(deps: ContainersDeps) {
  const { db, host, removals } = deps;
  return {
    createContainer: async (request) => create(request, deps),
    undoCreate: async ({ id, operation }, { signal }) => {
      await undoCreate(db, host, id, operation, signal);
      return {};
    },
    prepareContainer: async ({ ref, operation, layers, layersDirectory, mounts }, { signal }) => {
      const wish = { names: layers, directory: layersDirectory, mounts: mounts.map(parseGivenMount) };
      const rootfsPath = await prepareContainer(ref, operation, wish, deps, signal);
      return { rootfsPath };
    },
    startContainer: async (request, { signal }) =>
      startContainer(request.ref, request.operation, parseGiven(request), deps, signal),
    undoStart: async ({ ref, operation }, { signal }) => {
      await undoStart(ref, operation, deps, signal);
      return {};
    },
    stopContainer: async ({ ref, timeoutS, signal: name }, { signal }) =>
      stopContainer(ref, { timeoutS, signal: name }, imageStopSignal, deps, signal),
    killContainer: async ({ ref, signal: name }, { signal }) => ({ id: await killContainer(ref, name, deps, signal) }),
    restartContainer: async ({ ref, timeoutS, signal: name }, { signal }) => ({
      id: await restartContainer(ref, { timeoutS, signal: name }, imageStopSignal, deps, signal),
    }),
    updateContainer: async (request, { signal }) => {
      const { id, warnings } = await updateContainer(request.ref, parseUpdate(request), { ...deps, rewish }, signal);
      return { id, warnings: [...warnings] };
    },
    changeNetworks: async (request, { signal }) => {
      await changeNetworks(request.ref, networksChange(request), deps, signal);
      return {};
    },
    recordPorts: async ({ ref, ports }) => ({ id: await recordPorts(db, ref, ports) }),
    renameContainer: async ({ ref, name }) => ({ id: await rename(db, ref, name) }),
    pauseContainer: async ({ ref }, { signal }) => {
      const id = await pauseContainer(db, host, ref, signal);
      deps.onProbed();
      return { id };
    },
    unpauseContainer: async ({ ref }, { signal }) => {
      const id = await unpauseContainer(db, host, ref, signal);
      deps.onProbed();
      return { id };
    },
    removeContainer: async ({ ref, force }, { signal }) => removals.remove(ref, force, signal),
    forgetContainer: async ({ ref }) => {
      await removals.forget(ref);
      deps.foreground.forget(ref);
      return {};
    },
    listDue: async () => {
      const rows = await dueContainers(db, deps.node);
      const due = rows.filter((row) => row.action !== "remove" || row.is_removing || deps.foreground.mayRemove(row));
      return { due: due.map(dueMessage), held: rows.length - due.length };
    },
    recordPrune: async ({ reclaimedBytes }) => {
      await recordPrune(db, "container", reclaimedBytes);
      return {};
    },
    clearDue: async ({ ref, action, run }) => {
      const wanted = parseDue(action);
      if (wanted === "deactivate") await clearSandbox(db, ref, run);
      else if (wanted === "start") await clearWantStart(db, ref);
      return {};
    },
  } satisfies Partial<Handlers<typeof LISTING_SERVICE>>;
}

function viewHandlers({ db, host, node, ends }: ContainersDeps) {
  const sizes = new ContainerSizes(host.root);
  const known = new ListedBytes();
  return {
    waitContainer: async ({ ref, condition }, { signal }) =>
      waitContainer(db, ends, ref, parseCondition(condition), signal),
    listContainers: async (request, { signal }) => {
      const page = parsePage<readonly [string, string]>(request, 2);
      const { items, nextPageToken } = await listContainers(request, page, { db, node, exposedPorts: exposedPortsOf });
      return { containers: await shownInList(items, request.withSize, signal), nextPageToken };
    },
    inspectContainer: async ({ ref, withSize }, { signal }) => {
      const row = await findContainer(db, ref);
      const health = row.spec.healthcheck === undefined ? undefined : (await healthOf(db, [row.id])).get(row.id);
      return { container: await shown(row, { health, execIds: await execIdsOf(db, row.id) }, withSize, signal) };
    },
    topContainer: async ({ ref, psArgs }, { signal }) => {
      const { titles, processes } = await topContainer(db, host, ref, psArgs, signal);
      return { titles: [...titles], processes: processes.map((fields) => ({ fields: [...fields] })) };
    },
    getRuntimeInfo: async () => ({
      runtime: host.runtime.kind,
      runtimeVersion: host.runtime.version,
      monitorVersion: host.conmonVersion,
      cgroupMode: host.layout.mode === "hybrid" ? "hybrid" : host.layout.mode.slice(1),
      ...(await countStates(db, node)),
      warnings: [],
      securityOptions: [
        ...(host.facts.apparmor.isEnabled ? ["name=apparmor"] : []),
        ...(host.facts.hasSeccomp ? ["name=seccomp,profile=builtin"] : []),
        ...(host.remap === undefined ? [] : ["name=userns"]),
      ],
    }),
  } satisfies Partial<Handlers<typeof LISTING_SERVICE>>;

  /** One that is gone since it was found is left out. */
  async function shownInList(listed: readonly ListedVersion[], withSize: boolean, signal: AbortSignal) {
    const isKnown = ({ id, version }: ListedVersion) => !withSize && known.find(id, version) !== undefined;
    const others = listed.filter((one) => !isKnown(one)).map(({ id }) => id);
    const rows = await withSummaries(db, await listedRows(db, others));
    const weights = withSize ? await weigh(rows, signal) : new Map<string, ContainerSize>();
    const made = new Map(rows.map((row) => [row.id, listedBytes(row, weights.get(row.id))]));
    for (const { id, version } of withSize ? [] : rows) known.keep(id, version, made.get(id) ?? new Uint8Array());
    return listed.flatMap(({ id, version }) => made.get(id) ?? known.find(id, version) ?? []);
  }

  async function weigh(rows: readonly ListedRow[], signal: AbortSignal): Promise<Map<string, ContainerSize>> {
    const sized = await layersOf(
      db,
      rows.map(({ id }) => id),
    );
    return new Map(
      await inParallel(sized, async (one, s) => [one.id, await sizes.of(one, s)] as const, signal, WEIGHED_AT_ONCE),
    );
  }

  async function shown(
    row: ContainerRow,
    extras: Omit<ShownExtras, "paths" | "size">,
    withSize: boolean,
    signal: AbortSignal,
  ) {
    const paths = containerPaths(host.root, row.id);
    return containerMessage(row, { ...extras, paths, size: withSize ? await sizes.of(row, signal) : undefined });
  }
}

function streamHandlers(deps: ContainersDeps) {
  const { db, feed, ends, pidfds, foreground } = deps;
  const streams = { db, root: deps.host.root, ends, pidfds, foreground, imageDefaults: deps.imageDefaults };
  const sampler = new StatsSampler(deps);
  return {
    readLogs: (request, { signal }) => logsCall(request, streams, signal),
    attach: (requests, { signal }) => attachCall(requests, streams, signal),
    resizeContainer: async ({ ref, size }) => {
      await resizeContainer(ref, parseSize(size), streams);
      return {};
    },
    watchStats: (request, { signal }) => statsCall(request, sampler, signal),
    watch: (request, { signal }) => watchEvents(feed, request, signal),
  } satisfies Partial<Handlers<typeof LISTING_SERVICE>>;
}

async function create(request: CreateContainerRequest, { db, node, host, preparations, logging }: ContainersDeps) {
  const { id, operation, spec: asked, image } = request;
  if (!/^[0-9a-f]{64}$/.test(id) || operation === "" || asked === undefined || image === undefined) throw incomplete();
  const wish = { ...asked, ...withDefaults(asked.logDriver, asked.logOptions, logging) };
  const imageConfig = image.config ?? ImageConfig.fromPartial({});
  const parsed = parseSpec(wish, imageConfig);
  const networks = wish.endpoints.map(({ network }) => network);
  const userMapping = userMappingFor({ usernsMode: wish.usernsMode, networks }, parsed, host.remap?.mapping);
  const spec = userMapping === undefined ? parsed : { ...parsed, userMapping };
  await runtimeNamed(spec.runtime ?? "", host);
  await checkOthers(spec, db);
  const { warnings } = linuxResources(spec.resources, host.limits);
  const command = commandOf(spec, imageDefaults(imageConfig));
  const name = await createContainer(
    db,
    {
      id,
      node,
      created_by: operation,
      wish: Buffer.from(ContainerSpec.encode(wish).finish()),
      spec,
      labels: { ...imageConfig.labels, ...spec.labels },
      image: spec.image,
      image_id: image.id,
      image_digest: image.manifestDigest,
      image_config: Buffer.from(ImageConfig.encode(imageConfig).finish()),
      command,
      summary: summaryOf({ id, imageId: image.id, command, spec: wish, imageConfig }),
      restart_mode: spec.restart.mode,
      restart_max: spec.restart.mode === "on-failure" ? spec.restart.maxRetries : 0,
      auto_remove: spec.autoRemove,
      layers: request.layers,
      layers_directory: request.layersDirectory,
    },
    spec.name,
  );
  if (request.startFollows) preparations.begin({ id, spec, auto_remove: spec.autoRemove, layers: request.layers });
  return { id, name, warnings: [...warnings] };
}

function incomplete(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CREATE_REQUEST_INCOMPLETE",
    what: "create a container",
    why: "the request lacks the id, the operation, the specification or the image",
  });
}

export function imageStopSignal(row: ContainerRow): string {
  return ImageConfig.decode(row.image_config).stopSignal;
}

function parseCondition(condition: WaitCode): WaitCondition {
  if (condition === WaitCode.NEXT_EXIT) return "next-exit";
  if (condition === WaitCode.RELEASABLE) return "releasable";
  return condition === WaitCode.REMOVED ? "removed" : "not-running";
}
