import { closeSync, constants, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { raceSignal } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { pipeReader } from "../../kit/linux/pipe.ts";
import { type OciRuntime, runtimeCommand } from "./oci-runtime.ts";
import type { Programs } from "./programs.ts";
import { runtimeError } from "./runtime-errors.ts";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Lets a created container's first process go: it waits at `exec.fifo` in the runtime's state directory, and what the
 * runtime's `start` does is to open that FIFO's other end and to remove it. Doing so here takes 0.2 ms where the program
 * takes 4 ms (docs/decisions/0004-start-by-fifo.md). Throws FAILED_PRECONDITION RUNTIME_REFUSED.
 */
export async function releaseRun(
  { programs, runtime }: { programs: Programs; runtime: OciRuntime },
  id: string,
  signal: AbortSignal,
): Promise<void> {
  if (runtime.releasesByFifo) return raceSignal(releaseByFifo(runtime, id), signal, "start the container's process");
  const { exitCode, output } = await programs.run(runtimeCommand(runtime, ["start", id]), signal);
  if (exitCode !== 0) throw runtimeError(output, "start the container's process");
}

async function releaseByFifo(runtime: OciRuntime, id: string): Promise<void> {
  const fifo = join(runtime.stateRoot, id, "exec.fifo");
  try {
    if (runtime.kind === "crun") writeToFifo(fifo);
    else await readFromFifo(fifo);
  } catch (cause) {
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "RUNTIME_REFUSED",
      what: "start the container's process",
      why: "it ended before it could be started",
      fix: "try again; the container's log may say more",
      cause,
    });
  }
}

/**
 * crun's process reads: non-blocking, so that a process which is gone shows as ENXIO. In this thread: the state directory
 * is in memory, and the pool's four turns would take longer than all of it.
 */
function writeToFifo(fifo: string): void {
  const fd = openSync(fifo, O_WRONLY | O_NONBLOCK);
  try {
    unlinkSync(fifo);
    writeSync(fd, Buffer.from([0]));
  } finally {
    closeSync(fd);
  }
}

/** runc's process writes: it is a writer from the moment it waits in open(2), so an early end of file means it is gone. */
async function readFromFifo(fifo: string): Promise<void> {
  const reader = pipeReader(openSync(fifo, O_RDONLY | O_NONBLOCK));
  const got = Promise.withResolvers<void>();
  reader.once("data", () => got.resolve());
  reader.once("end", () => got.reject(new Error("end of exec.fifo")));
  reader.once("error", got.reject);
  try {
    await got.promise;
    unlinkSync(fifo);
  } finally {
    reader.destroy();
  }
}
