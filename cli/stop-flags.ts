import { integer, text } from "./grammar/flags.ts";

/** How a container is asked to end: `stop` and `restart`. */
export const stopFlags = {
  signal: text({ short: "s", help: "Signal to send first, instead of the container's own" }),
  timeout: integer({ short: "t", help: "Seconds to wait before killing it (-1: for ever)" }),
};
