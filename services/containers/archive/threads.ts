import { JobThreads } from "../../kit/archive/job-threads.ts";
import type { ArchiveJob, Part } from "./jobs.ts";

/** Threads that look into containers. */
export type ArchiveThreads = JobThreads<ArchiveJob, Part>;

export function archiveThreads(): ArchiveThreads {
  const program = new URL("./archive.thread.ts", import.meta.url);
  return new JobThreads({ program, name: "ctl-archive", what: "copy files of a container" });
}
