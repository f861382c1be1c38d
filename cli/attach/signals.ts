import { Interrupted } from "../interrupted.ts";
import type { Session } from "./session.ts";

const PROXIED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT"] as const;
/** Those that end a program. */
const ENDING: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };
/** The third request to end is for ctl itself; the container goes on. */
const PATIENCE = 3;

/** What our own signals do while a container's process is waited for or followed. */
export interface SignalProxy extends Disposable {
  /** Rejects with Interrupted when ctl itself is to end. */
  readonly interrupted: Promise<never>;
  /** From now on signals go to the session's process; until then one that ends programs ends the attempt. */
  passTo(session: Session): void;
}

export function proxySignals(): SignalProxy {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {}); // nobody may be waiting at the moment
  let session: Session | undefined;
  let endings = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    const number = ENDING[signal];
    if (number !== undefined) endings++;
    if (session !== undefined && endings < PATIENCE) void session.send({ $case: "signal", value: signal });
    else if (number !== undefined) reject(new Interrupted(128 + number));
  };
  for (const signal of PROXIED) process.on(signal, onSignal);
  return {
    interrupted: promise,
    passTo(next) {
      session = next;
      endings = 0;
    },
    [Symbol.dispose]() {
      for (const signal of PROXIED) process.off(signal, onSignal);
    },
  };
}
