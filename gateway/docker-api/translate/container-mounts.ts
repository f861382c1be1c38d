import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import { type MountRequest, MountType, type ResolvedMount } from "#proto/ctl/volumes/v1/volumes.ts";
import { omitEmpty, sorted } from "./go-values.ts";

/**
 * The contract has one list of mounts where Docker has four fields. What came by `-v` and `--tmpfs` says so by
 * `createSource`, which means nothing for volumes and tmpfs otherwise.
 */
const isShort = (mount: MountRequest): boolean => mount.createSource;

/** `Mounts` of an inspection and of a list: what the container has, before its first start what it asks for. */
export function mountPoints(container: Container) {
  const requests = container.spec?.mounts ?? [];
  const requestFor = (target: string) => requests.find((request) => request.target === target);
  if (container.mounts.length > 0)
    return container.mounts
      .filter((mount) => !isShortTmpfs(requestFor(mount.target)))
      .map((mount) => mountPoint(mount, requestFor(mount.target)));
  return requests
    .filter((request) => !isShortTmpfs(request))
    .map((request) => mountPoint(asIfResolved(request), request));
}

/** `--tmpfs` shows in HostConfig alone. */
function isShortTmpfs(request: MountRequest | undefined): boolean {
  return request !== undefined && request.type === MountType.TMPFS && isShort(request);
}

function asIfResolved(request: MountRequest): ResolvedMount {
  const isVolume = request.type === MountType.VOLUME;
  return {
    ...request,
    name: isVolume ? request.source : "",
    source: isVolume ? "" : request.source,
    driver: isVolume ? request.driver || "local" : "",
    needsCopyUp: false,
    restrictions: [],
  };
}

function mountPoint(mount: ResolvedMount, request: MountRequest | undefined) {
  return {
    Type: typeName(mount.type),
    ...omitEmpty("Name", mount.name),
    Source: mount.source,
    Destination: mount.target,
    ...omitEmpty("Driver", mount.type === MountType.VOLUME ? mount.driver || "local" : ""),
    Mode: modeOf(mount, request),
    RW: !mount.readOnly,
    Propagation: mount.type === MountType.BIND ? mount.propagation || "rprivate" : "",
  };
}

function modeOf(mount: ResolvedMount, request: MountRequest | undefined): string {
  if (request === undefined || request.isFromImage || mount.type === MountType.TMPFS) return "";
  if (mount.type === MountType.BIND) return isShort(request) ? shortMode(request) : "";
  if (isShort(request) && request.readOnly) return "ro";
  return request.source === "" ? "" : "z";
}

function shortMode(request: MountRequest): string {
  return [request.readOnly ? "ro" : "", request.propagation, request.noCopy ? "nocopy" : "", ...ownerOf(request)]
    .filter((part) => part !== "" && part !== "rprivate")
    .join(",");
}

function ownerOf({ uid, gid }: MountRequest): string[] {
  return [...(uid === undefined ? [] : [`uid=${uid}`]), ...(gid === undefined ? [] : [`gid=${gid}`])];
}

export function typeName(type: MountType): string {
  switch (type) {
    case MountType.BIND:
      return "bind";
    case MountType.VOLUME:
      return "volume";
    case MountType.TMPFS:
      return "tmpfs";
    case MountType.UNSPECIFIED:
    case MountType.UNRECOGNIZED:
      return "";
    default:
      return type satisfies never;
  }
}

/** `Binds` of HostConfig: the `-v` of named volumes and host paths. */
export function binds(mounts: readonly MountRequest[]): string[] {
  return mounts
    .filter((mount) => isShort(mount) && mount.type !== MountType.TMPFS && mount.source !== "")
    .map((mount) => [mount.source, mount.target, shortMode(mount)].filter((part) => part !== "").join(":"));
}

/** `Tmpfs` of HostConfig: options by target. */
export function tmpfs(mounts: readonly MountRequest[]): Record<string, string> {
  const ours = mounts.filter(isShortTmpfs);
  return sorted(Object.fromEntries(ours.map((mount) => [mount.target, mount.tmpfsOptions.join(",")])));
}

/** `Volumes` of Config: anonymous ones, the caller's (`-v /path`). */
export function anonymousVolumes(mounts: readonly MountRequest[]): string[] {
  return mounts
    .filter((mount) => mount.type === MountType.VOLUME && mount.source === "" && isShort(mount) && !mount.isFromImage)
    .map((mount) => mount.target);
}

/** `Mounts` of HostConfig: those by `--mount`. */
export function longMounts(mounts: readonly MountRequest[]) {
  return mounts.filter((mount) => !isShort(mount) && !mount.isFromImage).map(longMount);
}

function longMount(mount: MountRequest) {
  return {
    Type: typeName(mount.type),
    ...omitEmpty("Source", mount.source),
    Target: mount.target,
    ...omitEmpty("ReadOnly", mount.readOnly),
    ...omitEmpty("BindOptions", mount.type === MountType.BIND ? bindOptions(mount) : {}),
    ...omitEmpty("VolumeOptions", mount.type === MountType.VOLUME ? volumeOptions(mount) : {}),
    ...omitEmpty("TmpfsOptions", mount.type === MountType.TMPFS ? tmpfsOptions(mount.tmpfsOptions) : {}),
  };
}

function bindOptions({ propagation, recursive }: MountRequest) {
  return {
    ...omitEmpty("Propagation", propagation),
    ...omitEmpty("NonRecursive", recursive === "disabled"),
    ...omitEmpty("ReadOnlyNonRecursive", recursive === "writable"),
    ...omitEmpty("ReadOnlyForceRecursive", recursive === "readonly"),
  };
}

function volumeOptions(mount: MountRequest) {
  return {
    ...omitEmpty("NoCopy", mount.noCopy),
    ...omitEmpty("Labels", sorted(mount.labels)),
    ...omitEmpty("Subpath", mount.subpath),
    ...omitEmpty("DriverConfig", {
      ...omitEmpty("Name", mount.driver),
      ...omitEmpty("Options", sorted(mount.driverOptions)),
    }),
  };
}

function tmpfsOptions(options: readonly string[]) {
  const optionOf = (name: string) => options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
  return {
    ...omitEmpty("SizeBytes", Number(optionOf("size") ?? 0)),
    ...omitEmpty("Mode", Number.parseInt(optionOf("mode") ?? "0", 8)),
  };
}
