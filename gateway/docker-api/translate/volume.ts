import type { Volume } from "#proto/ctl/volumes/v1/volumes.ts";
import { nullIfEmpty } from "./go-values.ts";
import { rfc3339Seconds } from "./times.ts";

const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

/** `GET /volumes/{name}`, and one of `GET /volumes`. */
export function volumeInspect(volume: Volume) {
  const labels = volume.isAnonymous ? { [ANONYMOUS_LABEL]: "", ...volume.labels } : volume.labels;
  return {
    CreatedAt: rfc3339Seconds(volume.created),
    Driver: volume.driver || "local",
    Labels: nullIfEmpty(labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: nullIfEmpty(volume.options),
    Scope: "local",
  };
}

/** The same with what `ctl volume inspect` adds: weight (-1: not known), who made it, and where containers have it. */
export function volumeUsage(volume: Volume, names: ReadonlyMap<string, string>) {
  return {
    ...volumeInspect(volume),
    CreatedBy: volume.createdBy,
    UsageData: { RefCount: volume.holders.length, Size: volume.sizeBytes ?? -1 },
    UsedBy: volume.uses.map(({ holder, target }) => ({
      Container: holder,
      Name: names.get(holder) ?? "",
      Destination: target,
    })),
  };
}
