/**
 * Structured concurrency: runs `work` on every item at once (at most `limit` at a time), aborts the others at the first
 * failure, waits until all have ended, and throws that first failure. Results keep the items' order.
 * `Promise.all` would abandon the losers.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, signal: AbortSignal, index: number) => Promise<R>,
  signal: AbortSignal,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<R[]> {
  const [only] = items;
  if (items.length === 1) return [await work(only as T, signal, 0)]; // there is no other to abort, and most steps are alone
  const losers = new AbortController();
  const linked = AbortSignal.any([signal, losers.signal]);
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  let failure: unknown;
  const lane = async (): Promise<void> => {
    while (next < items.length && !linked.aborted) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T, linked, index);
      } catch (error) {
        if (!failed) failure = error;
        failed = true;
        losers.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failed) throw failure;
  signal.throwIfAborted();
  return results;
}

/** Independent pieces of one thing at once, with the same promise: the first failure aborts the rest and is thrown. */
export async function allOf<const T extends readonly ((signal: AbortSignal) => Promise<unknown>)[]>(
  works: T,
  signal: AbortSignal,
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const results = await inParallel(works, (work, s) => work(s), signal);
  return results as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> };
}
