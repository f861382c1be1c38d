import { parentPort, workerData } from "node:worker_threads";
import { errnoOf } from "../errno.ts";
import { createCopySyscalls } from "./syscalls.ts";
import { piecesOf, type ThreadFailure, type ThreadWork } from "./tree-work.ts";

const work = workerData as ThreadWork;
try {
  for (const _ of piecesOf(work, createCopySyscalls())) {
    if (Atomics.load(work.cancelled, 0) !== 0) break;
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  parentPort?.postMessage({ message, errno: errnoOf(error) } satisfies ThreadFailure);
}
