import { integer, text } from "./grammar/flags.ts";

/** How a container is asked to end: `stop` and `restart`. */
export const stopFlags = {
  signal: text({ short: "s", help: "Signal to send first, instead of the container's own" }),
  time: integer({ help: "As --timeout", isHidden: true }),
  timeout: integer({ short: "t", help: "Seconds to wait before killing it (-1: for ever)" }),
};

/** As the requests have it: absent means the container's own. */
export function timeoutOf({ time, timeout = time }: { time: number | undefined; timeout: number | undefined }) {
  return timeout === undefined ? {} : { timeoutS: timeout };
}
