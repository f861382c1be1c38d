const CALL_TIMEOUT_MS = 60_000;

/**
 * Runs one call of a client and says how it went as a line of JSON on the standard output: what main.ts reads.
 * @param {string} name as people who use the client know it
 * @param {() => Promise<unknown>} run throws where the client did not get what it wanted
 */
export async function call(name, run) {
  const timedOut = Promise.withResolvers();
  const timer = setTimeout(() => timedOut.reject(new Error("no answer within a minute")), CALL_TIMEOUT_MS);
  let error = "";
  try {
    await Promise.race([run(), timedOut.promise]);
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  }
  clearTimeout(timer);
  process.stdout.write(`${JSON.stringify({ call: name, error })}\n`);
}

/** @param {boolean} holds @param {string} what */
export function expect(holds, what) {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** @param {Promise<unknown>} promise @param {RegExp} pattern */
export async function refused(promise, pattern) {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error !== undefined && pattern.test(String(error.message)), `refused with ${pattern}: ${error?.message}`);
}
