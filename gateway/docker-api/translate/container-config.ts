import { hostname } from "node:os";
import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { type Healthcheck, ImageConfig } from "#proto/ctl/images/v1/images.ts";
import type { ApiVersion } from "../versions.ts";
import { anonymousVolumes } from "./container-mounts.ts";
import { nullIfNone, omitEmpty, setOf, sorted } from "./go-values.ts";
import { networkMode } from "./host-config.ts";

/** `Config` of an inspection: the caller's wish with the image's defaults mixed in, by Docker's rules. */
export function containerConfig(container: Container, version: ApiVersion) {
  const spec = container.spec ?? ContainerSpec.fromPartial({});
  const image = container.imageConfig ?? ImageConfig.fromPartial({});
  const { entrypoint, command } = commandLine(spec, image);
  return {
    Hostname: spec.hostname || (networkMode(spec) === "host" ? hostname() : container.id.slice(0, 12)),
    Domainname: spec.domainname,
    User: spec.user || image.user,
    AttachStdin: spec.attach.includes("stdin"),
    AttachStdout: spec.attach.includes("stdout"),
    AttachStderr: spec.attach.includes("stderr"),
    ...omitEmpty("ExposedPorts", setOf(exposedPorts(container))),
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    StdinOnce: spec.stdinOnce,
    Env: environment(spec.env, image.env),
    Cmd: nullIfNone(command),
    ...omitEmpty("Healthcheck", healthcheck(mixedCheck(spec.healthcheck, image.healthcheck))),
    Image: spec.image,
    Volumes: volumesOf(spec, image),
    WorkingDir: spec.workingDir || image.workingDir,
    Entrypoint: nullIfNone(entrypoint),
    ...(version.minor < 44 ? omitEmpty("MacAddress", spec.endpoints[0]?.macAddress ?? "") : {}),
    OnBuild: nullIfNone(image.onBuild),
    Labels: sorted({ ...image.labels, ...spec.labels }),
    ...omitEmpty("StopSignal", spec.stopSignal || image.stopSignal),
    ...(spec.stopTimeoutS === undefined ? {} : { StopTimeout: spec.stopTimeoutS }),
    ...omitEmpty("Shell", image.shell),
  };
}

/** An entrypoint of the caller's own drops the image's command too. */
function commandLine(spec: ContainerSpec, image: ImageConfig) {
  if (spec.entrypoint !== undefined) return { entrypoint: spec.entrypoint.values, command: spec.command };
  const command = spec.command.length > 0 ? spec.command : image.command;
  return { entrypoint: image.entrypoint, command };
}

/** The caller's first, then those of the image that the caller neither sets nor removes. */
function environment(own: readonly string[], image: readonly string[]): string[] {
  const nameOf = (variable: string) => variable.split("=")[0];
  const named = new Set(own.map(nameOf));
  return [...own.filter((one) => one.includes("=")), ...image.filter((one) => !named.has(nameOf(one)))];
}

/** The image's and the caller's. */
export function exposedPorts(container: Container): string[] {
  return [...new Set([...(container.imageConfig?.exposedPorts ?? []), ...(container.spec?.exposedPorts ?? [])])].map(
    (port) => (port.includes("/") ? port : `${port}/tcp`),
  );
}

function volumesOf(spec: ContainerSpec, image: ImageConfig) {
  const targets = [...image.volumes, ...anonymousVolumes(spec.mounts)];
  return targets.length === 0 ? null : setOf(targets);
}

/** The caller's check over the image's, field by field. */
function mixedCheck(own: Healthcheck | undefined, image: Healthcheck | undefined): Healthcheck | undefined {
  if (own === undefined || image === undefined) return own ?? image;
  return {
    test: own.test.length > 0 ? own.test : image.test,
    intervalNs: own.intervalNs || image.intervalNs,
    timeoutNs: own.timeoutNs || image.timeoutNs,
    startPeriodNs: own.startPeriodNs || image.startPeriodNs,
    startIntervalNs: own.startIntervalNs || image.startIntervalNs,
    retries: own.retries || image.retries,
  };
}

export function healthcheck(check: Healthcheck | undefined) {
  if (check === undefined) return {};
  return {
    ...omitEmpty("Test", check.test),
    ...omitEmpty("Interval", check.intervalNs),
    ...omitEmpty("Timeout", check.timeoutNs),
    ...omitEmpty("StartPeriod", check.startPeriodNs),
    ...omitEmpty("StartInterval", check.startIntervalNs),
    ...omitEmpty("Retries", check.retries),
  };
}
