import { CtlError } from "./errors.ts";

/** A signal that aborts after `timeoutMs` with a DEADLINE_EXCEEDED that names what was waited for. */
export function deadline(timeoutMs: number, what: string): AbortSignal {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(deadlineError(timeoutMs, what)), timeoutMs);
  timer.unref();
  return controller.signal;
}

/** The caller's signal and a deadline, whichever comes first; the abort reason says which. */
export function within(signal: AbortSignal, timeoutMs: number, what: string): AbortSignal {
  return AbortSignal.any([signal, deadline(timeoutMs, what)]);
}

export function deadlineError(timeoutMs: number, what: string): CtlError {
  return new CtlError("DEADLINE_EXCEEDED", {
    reason: "DEADLINE_EXCEEDED",
    what,
    why: `it took longer than ${timeoutMs} ms`,
    fix: "try again; if it stays so, look at the daemon's log and the machine's load",
  });
}

/** What an aborted signal means as an error: its own reason when that is ours, else CANCELLED. */
export function abortError(signal: AbortSignal, what: string): CtlError {
  if (signal.reason instanceof CtlError) return signal.reason;
  return new CtlError("CANCELLED", { reason: "CANCELLED", what, why: "the caller went away", cause: signal.reason });
}

/** Waits for the promise or the signal. The promise itself is not stopped: pass the signal on to what can be. */
export async function raceSignal<T>(promise: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    throw abortError(signal, what);
  }
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(abortError(signal, what));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    promise.catch(() => {});
  }
}

/** Sleeps on the monotonic clock; rejects when the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortError(signal, "wait");
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, ms);
  const onAbort = () => done.reject(abortError(signal, "wait"));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
