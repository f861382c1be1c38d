import { join } from "node:path";
import { ImageConfig } from "#proto/ctl/images/v1/images.ts";
import { type BootContext, boot } from "../kit/boot.ts";
import { deadline } from "../kit/deadlines.ts";
import { archiveThreads } from "./archive/threads.ts";
import { keepExitWatch } from "./background.ts";
import { DetachedExecs } from "./exec/detached-execs.ts";
import { RunEnds } from "./exits/ends.ts";
import { ExitFollower } from "./exits/exit.ts";
import { Exits } from "./exits/exit-files.ts";
import { Restarts } from "./exits/restarts.ts";
import { healthFindings } from "./health/findings.ts";
import { HealthMonitors } from "./health/monitors.ts";
import { findHost } from "./host/find-host.ts";
import { parseLogConfig } from "./logs/drivers/driver.ts";
import { Shipments } from "./logs/shipping/shipments.ts";
import { containerPaths } from "./paths.ts";
import { resume } from "./pause.ts";
import { Preparations } from "./preparations.ts";
import { Removals } from "./remove.ts";
import { Serial } from "./run/serial.ts";
import { imageDefaults } from "./service/spec.ts";
import { containersServices, imageStopSignal } from "./service.ts";
import { containersSettings } from "./settings.ts";
import type { ContainerRow } from "./store/containers.ts";
import { ForegroundClients } from "./streams/foreground.ts";

const HOST_TIMEOUT_MS = 60_000;
const RESUME_TIMEOUT_MS = 10_000;

async function start({ config, db, feed, log, nodeId: node, signal }: BootContext<typeof containersSettings>) {
  await using undo = new AsyncDisposableStack();
  const { root, run } = config;
  const { host } = undo.use(
    await findHost(hostSettings(config), deadline(HOST_TIMEOUT_MS, "get the host ready for containers")),
  );
  log.info({ runtime: host.runtime.kind, version: host.runtime.version, cgroups: host.layout.mode }, "runtime chosen");
  const exits = undo.use(await Exits.open(host.exitsDirectory, (id) => containerPaths(root, id).bundle));
  const serial = new Serial();
  const ends = undo.use(new RunEnds(feed, log, signal));
  const { pidfds } = host;
  const foreground = new ForegroundClients();
  const after = {
    removableSince: (id: string) => foreground.removableSince(id),
    onRestarting: () => restarts.wake(),
    onEnded: (row: ContainerRow) => ends.tell(row.id, { exitCode: row.exit_code ?? 0, oomKilled: row.oom_killed }),
    onRemovable: (row: ContainerRow) => removals.clean(row),
  };
  const follower = undo.use(new ExitFollower({ db, host, exits, serial, log, ...after }));
  const findings = healthFindings({ db, log, pidfds, defaultSignal: imageStopSignal });
  const health = undo.use(new HealthMonitors({ db, node, host, pidfds, log, findings }));
  const onProbed = () => health.wake();
  const shipments = new Shipments({ db, node, root, ends, log, imageDefaults: defaultsOf });
  const onShipped = () => shipments.wake();
  const starting = { db, host, serial, exits: follower, log, imageDefaults: defaultsOf, onProbed, onShipped };
  const restarts = new Restarts(starting, node);
  const thaw = (row: ContainerRow) => resume(db, host, row, deadline(RESUME_TIMEOUT_MS, `thaw container ${row.name}`));
  const stopping = { db, feed, pidfds, resume: thaw };
  const removals = undo.use(new Removals({ ...stopping, host, serial, log }));
  const archives = undo.use(archiveThreads());
  const logging = parseLogConfig(config["log-driver"], config["log-opts"]);
  const detached = undo.use(new DetachedExecs({ db, host, node, log }));
  const preparations = undo.use(new Preparations(host, serial));
  const epochFile = join(run, "containers.epoch");
  const background = keepExitWatch(
    {
      db,
      host,
      exits,
      serial,
      log,
      ...after,
      node,
      epochFile,
      follower,
      restarts,
      health,
      removals,
      detached,
      shipments,
    },
    signal,
  );
  undo.defer(() => background);
  const parts = { node, ends, removals, detached, preparations, foreground };
  const owned = undo.move();
  return {
    services: containersServices({ ...starting, ...stopping, ...parts, archives, logging }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function hostSettings(config: BootContext<typeof containersSettings>["config"]) {
  const { root, run, instance, runtimes } = config;
  return {
    ...{ root, run, instance, runtimes },
    runtimePath: config.runtime,
    conmonPath: config.conmon,
    initPath: config["init-path"],
    cdiDirectories: config["cdi-spec-dirs"],
    cgroupParent: config["cgroup-parent"],
    usernsRemap: config["userns-remap"],
  };
}

function defaultsOf(imageConfig: Buffer) {
  return imageDefaults(ImageConfig.decode(imageConfig));
}

await boot({
  name: "containers",
  settings: containersSettings,
  migrations: new URL("./migrations/", import.meta.url),
  start,
});
