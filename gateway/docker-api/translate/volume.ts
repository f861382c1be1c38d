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
