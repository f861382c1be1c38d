import type { Command } from "./grammar/command.ts";

export type Load = () => Promise<Command>;

/** A command's file is loaded when it is called, and no other: start time counts at every command. */
const attach: Load = async () => (await import("./commands/attach.ts")).attach;
const containerPrune: Load = async () => (await import("./commands/container/prune.ts")).pruneContainers;
const checkpointCreate: Load = async () => (await import("./commands/checkpoint/refused.ts")).createCheckpoint;
const checkpointLs: Load = async () => (await import("./commands/checkpoint/refused.ts")).listCheckpoints;
const checkpointRm: Load = async () => (await import("./commands/checkpoint/refused.ts")).removeCheckpoint;
const containerInspect: Load = async () => (await import("./commands/inspect.ts")).inspectContainers;
const cp: Load = async () => (await import("./commands/cp.ts")).cp;
const create: Load = async () => (await import("./commands/create.ts")).create;
const diff: Load = async () => (await import("./commands/diff.ts")).diff;
const events: Load = async () => (await import("./commands/events.ts")).events;
const exec: Load = async () => (await import("./commands/exec.ts")).exec;
const execsInspect: Load = async () => (await import("./commands/inspect.ts")).inspectExecs;
const execsKill: Load = async () => (await import("./commands/execs/kill.ts")).killExecs;
const execsLs: Load = async () => (await import("./commands/execs/ls.ts")).listExecs;
const exportContainer: Load = async () => (await import("./commands/export.ts")).exportContainer;
const imageInspect: Load = async () => (await import("./commands/inspect.ts")).inspectImages;
const imageLs: Load = async () => (await import("./commands/image/ls.ts")).listImages;
const imagePrune: Load = async () => (await import("./commands/image/prune.ts")).pruneImages;
const imageRm: Load = async () => (await import("./commands/image/rm.ts")).removeImages;
const info: Load = async () => (await import("./commands/info.ts")).info;
const inspect: Load = async () => (await import("./commands/inspect.ts")).inspect;
const kill: Load = async () => (await import("./commands/kill.ts")).kill;
const logs: Load = async () => (await import("./commands/logs.ts")).logs;
const networkConnect: Load = async () => (await import("./commands/network/connect.ts")).connectNetwork;
const networkCreate: Load = async () => (await import("./commands/network/create.ts")).createNetwork;
const networkDisconnect: Load = async () => (await import("./commands/network/disconnect.ts")).disconnectNetwork;
const networkGraph: Load = async () => (await import("./commands/network/graph.ts")).graphNetworks;
const networkInspect: Load = async () => (await import("./commands/inspect.ts")).inspectNetworks;
const networkLs: Load = async () => (await import("./commands/network/ls.ts")).listNetworks;
const networkPrune: Load = async () => (await import("./commands/network/prune.ts")).pruneNetworks;
const networkRules: Load = async () => (await import("./commands/network/rules.ts")).listNetworkRules;
const networkTrace: Load = async () => (await import("./commands/network/trace.ts")).traceConnection;
const networkRm: Load = async () => (await import("./commands/network/rm.ts")).removeNetworks;
const pause: Load = async () => (await import("./commands/pause.ts")).pause;
const port: Load = async () => (await import("./commands/port.ts")).port;
const ps: Load = async () => (await import("./commands/ps.ts")).ps;
const pull: Load = async () => (await import("./commands/image/pull.ts")).pull;
const rename: Load = async () => (await import("./commands/rename.ts")).rename;
const restart: Load = async () => (await import("./commands/restart.ts")).restart;
const rm: Load = async () => (await import("./commands/rm.ts")).rm;
const run: Load = async () => (await import("./commands/run.ts")).run;
const start: Load = async () => (await import("./commands/start.ts")).start;
const stats: Load = async () => (await import("./commands/stats.ts")).stats;
const stop: Load = async () => (await import("./commands/stop.ts")).stop;
const tag: Load = async () => (await import("./commands/image/tag.ts")).tag;
const top: Load = async () => (await import("./commands/top.ts")).top;
const unpause: Load = async () => (await import("./commands/unpause.ts")).unpause;
const update: Load = async () => (await import("./commands/update.ts")).update;
const version: Load = async () => (await import("./commands/version.ts")).version;
const volumeBackup: Load = async () => (await import("./commands/volume/backup.ts")).backupVolume;
const volumeClone: Load = async () => (await import("./commands/volume/clone.ts")).cloneVolume;
const volumeCreate: Load = async () => (await import("./commands/volume/create.ts")).createVolume;
const volumeInspect: Load = async () => (await import("./commands/inspect.ts")).inspectVolumes;
const volumeLs: Load = async () => (await import("./commands/volume/ls.ts")).listVolumes;
const systemPrune: Load = async () => (await import("./commands/system/prune.ts")).pruneSystem;
const volumePrune: Load = async () => (await import("./commands/volume/prune.ts")).pruneVolumes;
const volumeRestore: Load = async () => (await import("./commands/volume/restore.ts")).restoreVolume;
const volumeRm: Load = async () => (await import("./commands/volume/rm.ts")).removeVolumes;
const wait: Load = async () => (await import("./commands/wait.ts")).wait;

/** What is listed first: what people need every day. */
export const COMMON = ["run", "exec", "ps", "pull", "images", "logs", "stop", "rm", "inspect", "info", "version"];

/** What people type right after `ctl`. */
export const COMMANDS: Readonly<Record<string, Load>> = {
  attach,
  cp,
  create,
  diff,
  events,
  exec,
  export: exportContainer,
  images: imageLs,
  info,
  inspect,
  kill,
  logs,
  pause,
  port,
  ps,
  pull,
  rename,
  restart,
  rm,
  rmi: imageRm,
  run,
  start,
  stats,
  stop,
  tag,
  top,
  unpause,
  update,
  version,
  wait,
};

export interface Group {
  readonly summary: string;
  readonly commands: Readonly<Record<string, Load>>;
}

/** `ctl container ls`, `ctl image pull` … */
export const GROUPS: Readonly<Record<string, Group>> = {
  checkpoint: {
    summary: "Manage checkpoints (not supported)",
    commands: {
      create: checkpointCreate,
      list: checkpointLs,
      ls: checkpointLs,
      remove: checkpointRm,
      rm: checkpointRm,
    },
  },
  container: {
    summary: "Manage containers",
    commands: {
      attach,
      cp,
      create,
      diff,
      exec,
      export: exportContainer,
      inspect: containerInspect,
      kill,
      list: ps,
      logs,
      ls: ps,
      pause,
      port,
      prune: containerPrune,
      ps,
      remove: rm,
      rename,
      restart,
      rm,
      run,
      start,
      stats,
      stop,
      top,
      unpause,
      update,
      wait,
    },
  },
  execs: {
    summary: "Manage what is executed in containers",
    commands: { inspect: execsInspect, kill: execsKill, list: execsLs, ls: execsLs },
  },
  image: {
    summary: "Manage images",
    commands: {
      inspect: imageInspect,
      list: imageLs,
      ls: imageLs,
      prune: imagePrune,
      pull,
      remove: imageRm,
      rm: imageRm,
      tag,
    },
  },
  network: {
    summary: "Manage networks",
    commands: {
      connect: networkConnect,
      create: networkCreate,
      disconnect: networkDisconnect,
      graph: networkGraph,
      inspect: networkInspect,
      list: networkLs,
      ls: networkLs,
      prune: networkPrune,
      remove: networkRm,
      rm: networkRm,
      rules: networkRules,
      trace: networkTrace,
    },
  },
  system: { summary: "Look at the daemon", commands: { events, info, prune: systemPrune } },
  volume: {
    summary: "Manage volumes",
    commands: {
      backup: volumeBackup,
      clone: volumeClone,
      create: volumeCreate,
      inspect: volumeInspect,
      list: volumeLs,
      ls: volumeLs,
      prune: volumePrune,
      remove: volumeRm,
      restore: volumeRestore,
      rm: volumeRm,
    },
  },
};

/** All names of one command: `ctl container ls`, `ctl ps` … */
export function aliasesOf(load: Load): string[] {
  const grouped = Object.entries(GROUPS).flatMap(([group, { commands }]) => namesIn(commands, load, `ctl ${group}`));
  return [...grouped, ...namesIn(COMMANDS, load, "ctl")];
}

function namesIn(commands: Readonly<Record<string, Load>>, load: Load, prefix: string): string[] {
  return Object.entries(commands).flatMap(([name, other]) => (other === load ? [`${prefix} ${name}`] : []));
}
