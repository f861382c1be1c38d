import { deadline, sleep } from "../../services/kit/deadlines.ts";

/**
 * Waits until `attempt` neither throws nor gives undefined or false, and gives what it gave; asks every 10 ms.
 * After `timeoutMs` it throws the last failure, so an assertion inside tells what was still wrong.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  timeoutMs = 5_000,
): Promise<Exclude<T, undefined | false>> {
  const signal = deadline(timeoutMs, "wait for a condition of the test");
  let failure: unknown = new Error("the condition stayed false");
  while (true) {
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      failure = error;
    }
    try {
      await sleep(10, signal);
    } catch {
      throw new Error(`not within ${timeoutMs} ms`, { cause: failure });
    }
  }
}
