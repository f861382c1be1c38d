import { type HistoryEntry, type Image, ImageConfig } from "#proto/ctl/images/v1/images.ts";
import type { ApiVersion } from "../versions.ts";
import { STORAGE_DRIVER } from "./container.ts";
import { healthcheck } from "./container-config.ts";
import { nullIfEmpty, nullIfNone, omitEmpty, setOf, sorted } from "./go-values.ts";
import { rfc3339Nano } from "./times.ts";

/** `GET /images/{name}/json`. */
export function imageInspect(image: Image, version: ApiVersion) {
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    ...(version.minor < 52 ? { Parent: "" } : {}),
    Comment: image.history.at(-1)?.comment ?? "",
    Created: rfc3339Nano(image.created),
    ...(version.minor < 45 ? { Container: "", ContainerConfig: emptyContainerConfig() } : {}),
    ...(version.minor < 52 ? { DockerVersion: "" } : {}),
    Author: image.author,
    Config: imageConfig(image.config ?? ImageConfig.fromPartial({}), version),
    Architecture: image.platform?.architecture ?? "",
    ...omitEmpty("Variant", image.platform?.variant ?? ""),
    Os: image.platform?.os ?? "linux",
    Size: image.sizeBytes,
    ...(version.minor < 44 ? { VirtualSize: image.sizeBytes } : {}),
    GraphDriver: { Data: null, Name: STORAGE_DRIVER },
    RootFS: { Type: "layers", ...omitEmpty("Layers", image.diffIds) },
    Metadata: { LastTagTime: rfc3339Nano(image.lastTagged) },
  };
}

/** Until 1.49 an image's Config had a container's fields, until 1.51 some of its own even where they are empty. */
function imageConfig(config: ImageConfig, version: ApiVersion) {
  return {
    ...(version.minor < 50 ? emptyContainerConfig() : version.minor < 52 ? emptyImageConfig() : {}),
    ...omitEmpty("User", config.user),
    ...omitEmpty("ExposedPorts", setOf(config.exposedPorts)),
    ...omitEmpty("Env", config.env),
    ...omitEmpty("Entrypoint", config.entrypoint),
    ...omitEmpty("Cmd", config.command),
    ...omitEmpty("Volumes", setOf(config.volumes)),
    ...omitEmpty("WorkingDir", config.workingDir),
    ...omitEmpty("Labels", sorted(config.labels)),
    ...omitEmpty("StopSignal", config.stopSignal),
    ...omitEmpty("Healthcheck", healthcheck(config.healthcheck)),
    ...omitEmpty("OnBuild", config.onBuild),
    ...omitEmpty("Shell", config.shell),
  };
}

function emptyImageConfig() {
  return {
    User: "",
    Env: null,
    Cmd: null,
    Volumes: null,
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
  };
}

function emptyContainerConfig() {
  return {
    Hostname: "",
    Domainname: "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Image: "",
    ...emptyImageConfig(),
  };
}

/** One of `GET /images/json`. What nobody has counted is -1. */
export function imageSummary(image: Image, version: ApiVersion) {
  const isUntagged = image.tags.length === 0;
  // until 1.42 a list had placeholders where an image has no names
  const placeholders = version.minor < 43 && isUntagged;
  return {
    Containers: version.minor >= 51 ? image.leaseCount : -1,
    Created: image.created?.seconds ?? 0,
    Id: image.id,
    Labels: nullIfEmpty(image.config?.labels ?? {}),
    ParentId: "",
    RepoDigests: placeholders && image.repoDigests.length === 0 ? ["<none>@<none>"] : image.repoDigests,
    RepoTags: placeholders ? ["<none>:<none>"] : image.tags,
    SharedSize: -1,
    Size: image.sizeBytes,
    ...(version.minor < 44 ? { VirtualSize: image.sizeBytes } : {}),
  };
}

/** `GET /images/{name}/history`, newest first. An entry without a layer weighs nothing. */
export function imageHistory(image: Image) {
  const sizes = image.layerSizeBytes.values();
  const items = image.history.map((entry) => ({ entry, size: entry.emptyLayer ? 0 : (sizes.next().value ?? 0) }));
  return items.toReversed().map(({ entry, size }, index) => historyItem(entry, size, index === 0 ? image : undefined));
}

function historyItem(entry: HistoryEntry, size: number, top: Image | undefined) {
  return {
    Comment: entry.comment,
    Created: entry.created?.seconds ?? 0,
    CreatedBy: entry.createdBy,
    Id: top?.id ?? "<missing>",
    Size: size,
    Tags: top === undefined ? null : nullIfNone(top.tags),
  };
}
