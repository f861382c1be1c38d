import { ContainerSpec, RestartMode } from "#proto/ctl/containers/v1/spec.ts";
import type { FlagValues } from "../grammar/flags.ts";
import { readTextFile } from "../read-file.ts";
import { parseEnvFile, parseLabelFile, resolveVariable } from "../values/environment.ts";
import { toMap } from "../values/key-value.ts";
import type { RestartPolicy } from "../values/restart-policy.ts";
import { refuseConflicts } from "./conflicts.ts";
import { endpointsOf } from "./endpoints.ts";
import type { containerFlags } from "./flags.ts";
import { healthcheckOf } from "./healthcheck.ts";
import { isolationOf } from "./isolation.ts";
import { mountsOf } from "./mounts.ts";
import { resourcesOf } from "./resources.ts";

export type ContainerFlags = FlagValues<typeof containerFlags>;

export interface Wish {
  readonly flags: ContainerFlags;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isDetached: boolean;
}

/**
 * What the flags ask for, as the daemon takes it. Reads the files that they name.
 * Throws INVALID_ARGUMENT FLAGS_CONFLICT, FILE_UNREADABLE, and what the values' grammars throw.
 */
export function buildSpec(wish: Wish): ContainerSpec {
  refuseConflicts(wish);
  return ContainerSpec.fromPartial({
    ...programOf(wish),
    ...lifetimeOf(wish),
    ...isolationOf(wish.flags),
    ...networkOf(wish),
    resources: resourcesOf(wish.flags),
    mounts: mountsOf(wish),
    volumesFrom: [...wish.flags["volumes-from"]],
    name: wish.flags.name ?? "",
    image: wish.image,
    labels: toMap([...wish.flags["label-file"].flatMap(readLabels), ...wish.flags.label]),
    annotations: toMap(wish.flags.annotation),
    platform: wish.flags.platform ?? "",
    logDriver: wish.flags["log-driver"] ?? "",
    logOptions: toMap(wish.flags["log-opt"]),
    attach: attachedStreams(wish),
  });
}

function programOf({ flags, command, env, isDetached }: Wish) {
  const fromFiles = flags["env-file"].flatMap((path) => parseEnvFile(readTextFile(path, "environment file"), env));
  return {
    entrypoint:
      flags.entrypoint === undefined ? undefined : { values: flags.entrypoint === "" ? [] : [flags.entrypoint] },
    command: [...command],
    env: [...fromFiles, ...flags.env.flatMap((variable) => resolveVariable(variable, env))],
    workingDir: flags.workdir ?? "",
    user: flags.user ?? "",
    groups: [...flags["group-add"]],
    tty: flags.tty,
    openStdin: flags.interactive,
    // a terminal stays open for whoever attaches next
    stdinOnce: flags.interactive && !isDetached && !flags.tty,
    init: flags.init,
  };
}

const RESTART_MODES = {
  no: RestartMode.NO,
  always: RestartMode.ALWAYS,
  "unless-stopped": RestartMode.UNLESS_STOPPED,
  "on-failure": RestartMode.ON_FAILURE,
} as const satisfies Record<RestartPolicy["mode"], RestartMode>;

export function restartMessage({ mode, maxRetries }: RestartPolicy) {
  return { mode: RESTART_MODES[mode], maxRetries };
}

function lifetimeOf({ flags }: Wish) {
  return {
    restart: restartMessage(flags.restart ?? { mode: "no", maxRetries: 0 }),
    autoRemove: flags.rm,
    stopSignal: flags["stop-signal"] ?? "",
    stopTimeoutS: flags["stop-timeout"],
    healthcheck: healthcheckOf(flags),
    healthOnFailure: flags["health-on-failure"] ?? "",
  };
}

function networkOf({ flags, image }: Wish) {
  return {
    endpoints: endpointsOf(flags, image),
    ports: [...flags.publish],
    publishAll: flags["publish-all"],
    exposedPorts: [...flags.expose],
    dnsServers: [...flags.dns],
    dnsSearch: [...flags["dns-search"]],
    dnsOptions: [...flags["dns-option"], ...flags["dns-opt"]],
    extraHosts: [...flags["add-host"]],
    links: [...flags.link],
  };
}

/** Which streams the creator attaches to: what was said, else all that there are. */
export function attachedStreams({ flags, isDetached }: Pick<Wish, "flags" | "isDetached">): string[] {
  if (isDetached) return [];
  if (flags.attach.length > 0) return [...new Set(flags.attach)];
  return [...(flags.interactive ? ["stdin"] : []), "stdout", "stderr"];
}

function readLabels(path: string): string[] {
  return parseLabelFile(readTextFile(path, "label file"));
}
