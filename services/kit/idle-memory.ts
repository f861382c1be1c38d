import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadLibc } from "./linux/libc.ts";

const LOOK_MS = 5_000;
/** Below this share of a processor nothing is going on. */
const IDLE_SHARE = 0.02;
/** A collection takes 20 to 40 ms of work, so only after enough other work to make it worth while. */
const WORTH_WHILE_MS = 150;

const AGAIN_AFTER_LOOKS = 2;

/**
 * Gives memory back when the process has become idle after work, its start above all: V8 keeps what it has until it
 * needs room, and a daemon that mostly waits would hold 20 to 50 MB of garbage for hours (bench/memory). Costs one full
 * collection when nobody waits for anything.
 */
export function trimWhenIdle(): Disposable {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  const mallocTrim = loadLibc().func("int malloc_trim(size_t pad)");
  let last = cpuMs();
  let trimmedAt = 0;
  let looksToAgain = 0;
  const timer = setInterval(() => {
    const now = cpuMs();
    const isIdle = now - last < LOOK_MS * IDLE_SHARE;
    last = now;
    if (typeof collect !== "function" || !isIdle) return;
    // once more a while after work: by then its threads and connections have ended too
    const isLeft = looksToAgain > 0 && --looksToAgain === 0;
    if (!isLeft && now - trimmedAt < WORTH_WHILE_MS) return;
    looksToAgain = isLeft ? 0 : AGAIN_AFTER_LOOKS;
    collect();
    mallocTrim(0); // what buffers and ended threads had: a pull leaves 15 MB of it
    trimmedAt = cpuMs();
    last = trimmedAt;
  }, LOOK_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
