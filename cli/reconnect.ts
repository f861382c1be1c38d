import { isCtlError } from "../services/kit/errors.ts";

/** How long a daemon may be away (a restart, an upgrade) before a stream that can go on gives up. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;

/**
 * Does `work` again when it fails in a way that `mayPass`, until it has failed for 30 s without a break. `work` says
 * where it was by keeping its own position.
 */
export async function reconnecting(mayPass: (error: unknown) => boolean, work: () => Promise<void>): Promise<void> {
  let failingSince: number | undefined;
  while (true) {
    const begun = performance.now();
    try {
      await work();
      return;
    } catch (error) {
      const wasNeverThere = failingSince === undefined && isCtlError(error) && error.reason === "DAEMON_UNREACHABLE";
      if (wasNeverThere) throw error;
      // what ran for a while before it broke was a connection, so patience begins anew
      if (failingSince === undefined || performance.now() - begun > PATIENCE_MS / 10) failingSince = performance.now();
      if (!mayPass(error) || performance.now() - failingSince > PATIENCE_MS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
