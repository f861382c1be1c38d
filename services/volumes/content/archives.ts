import { JobThreads } from "../../kit/archive/job-threads.ts";
import type { VolumeJob, VolumePart } from "./archive-jobs.ts";

/** Threads that read and write whole volumes: a volume's server may let a call hang for ever. */
export type VolumeArchives = JobThreads<VolumeJob, VolumePart>;

export function volumeArchives(): VolumeArchives {
  const program = new URL("./archive.thread.ts", import.meta.url);
  return new JobThreads({ program, name: "ctl-volume", what: "read or write the volume" });
}
