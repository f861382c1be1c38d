import { isMainThread, parentPort } from "node:worker_threads";
import { loadFileCalls } from "../../kit/linux/file-calls.ts";
import { runJob } from "./job-runner.ts";
import type { JobMessage } from "./jobs.ts";

/** The extraction threads' program: runs the jobs that it is sent, any number at once, each over a port of its own. */
if (isMainThread || parentPort === null) throw new Error("extract.thread.ts is a worker thread's program");

const calls = loadFileCalls();
parentPort.on("message", ({ job, port }: JobMessage) => {
  void runJob(job, port, calls); // answers, and ends, over its port whatever happens
});
