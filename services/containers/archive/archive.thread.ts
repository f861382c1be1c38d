import { parentPort, workerData } from "node:worker_threads";
import { runJob } from "./job-runner.ts";
import type { ArchiveJob } from "./jobs.ts";

const port = parentPort;
if (port === null) throw new Error("this program runs as a worker thread only");
await runJob(workerData as ArchiveJob, port);
