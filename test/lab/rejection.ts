/** The error that a promise (or a function's) is rejected with, to be looked at; a success fails the test. */
export async function rejection(promise: Promise<unknown> | (() => Promise<unknown>)): Promise<unknown> {
  let value: unknown;
  try {
    value = await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
}
