import { isMainThread, parentPort } from "node:worker_threads";
import { runJob } from "./job-runner.ts";
import type { JobMessage } from "./jobs.ts";

/** The extraction threads' program: runs the jobs that it is sent, any number at once, each over a port of its own. */
if (isMainThread || parentPort === null) throw new Error("extract.thread.ts is a worker thread's program");

parentPort.on("message", ({ job, port }: JobMessage) => {
  void runJob(job, port); // answers, and ends, over its port whatever happens
});
