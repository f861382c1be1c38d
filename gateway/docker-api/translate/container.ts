import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import type { ApiVersion } from "../versions.ts";
import { containerConfig, exposedPorts } from "./container-config.ts";
import { mountPoints } from "./container-mounts.ts";
import { endpointSettings, networkSettings } from "./container-networks.ts";
import { inspectedState, isRunning, stateName, statusText, summarizedHealth } from "./container-state.ts";
import { nullIfNone, sorted } from "./go-values.ts";
import { hostConfig, networkMode } from "./host-config.ts";
import { portSummaries } from "./ports.ts";
import { rfc3339Nano } from "./times.ts";

export const STORAGE_DRIVER = "overlay2";

/** `GET /containers/{id}/json`. */
export function containerInspect(container: Container, version: ApiVersion) {
  return {
    Id: container.id,
    Created: rfc3339Nano(container.created),
    Path: container.path,
    Args: container.args,
    State: inspectedState(container),
    Image: container.imageId,
    ResolvConfPath: container.resolvConfPath,
    HostnamePath: container.hostnamePath,
    HostsPath: container.hostsPath,
    LogPath: container.logPath,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: STORAGE_DRIVER,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: appArmorProfile(container),
    ExecIDs: nullIfNone(container.execIds),
    HostConfig: hostConfig(container),
    GraphDriver: { Data: graphDriverData(container), Name: STORAGE_DRIVER },
    ...sizes(container),
    Mounts: mountPoints(container),
    Config: containerConfig(container, version),
    NetworkSettings: networkSettings(container, exposedPorts(container), version),
  };
}

function graphDriverData(container: Container) {
  return container.rootfsPath === "" ? null : { MergedDir: container.rootfsPath };
}

function sizes(container: Container) {
  return container.sizeRwBytes === undefined
    ? {}
    : { SizeRw: container.sizeRwBytes, SizeRootFs: container.sizeRootBytes ?? container.sizeRwBytes };
}

function appArmorProfile(container: Container): string {
  const option = container.spec?.securityOptions.find((one) => one.startsWith("apparmor="));
  return option?.slice("apparmor=".length) ?? "";
}

/** One of `GET /containers/json`. */
export function containerSummary(container: Container, version: ApiVersion, nowMs: number) {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: container.spec?.image ?? "",
    ImageID: container.imageId,
    Command: commandText(container),
    Created: container.created?.seconds ?? 0,
    Ports: isRunning(container) ? portSummaries(exposedPorts(container), container.ports) : [],
    ...sizes(container),
    Labels: sorted({ ...container.imageConfig?.labels, ...container.spec?.labels }),
    State: stateName(container),
    Status: statusText(container, nowMs),
    ...(version.minor < 52 ? {} : { Health: summarizedHealth(container.health) }),
    HostConfig: { NetworkMode: networkMode(container.spec) },
    NetworkSettings: { Networks: endpointSettings(container, version) },
    Mounts: mountPoints(container),
  };
}

function commandText({ path, args }: Container): string {
  return [path, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}
