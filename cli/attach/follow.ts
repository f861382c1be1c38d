import type { ExitStatus } from "#proto/ctl/containers/v1/containers.ts";
import { pumpStdin } from "./input.ts";
import type { Session } from "./session.ts";
import { proxySignals, type SignalProxy } from "./signals.ts";

export interface FollowOptions {
  readonly stdin: boolean;
  /** Our terminal is the process's own. */
  readonly tty: boolean;
  readonly detachKeys: Buffer;
}

/** Our input, and our terminal, are the process's until it ends. */
export async function follow(session: Session, options: FollowOptions): Promise<ExitStatus | "detached"> {
  using owned = new DisposableStack();
  if (options.tty) {
    const terminal = await import("../terminal/terminal.ts");
    owned.use(terminal.makeRaw());
    owned.use(terminal.followSize(session));
  }
  const failed = Promise.withResolvers<never>();
  if (options.stdin) pumpStdin(session, options.tty ? options.detachKeys : undefined).catch(failed.reject);
  return await Promise.race([session.ended, failed.promise]);
}

/** `follow` with our signals passed on where there is no terminal to do it. Throws Interrupted. */
export async function followWithSignals(
  session: Session,
  options: FollowOptions & { readonly passesSignals: boolean },
): Promise<ExitStatus | "detached"> {
  if (!options.passesSignals || options.tty) return follow(session, options);
  using signals: SignalProxy = proxySignals();
  signals.passTo(session);
  return await Promise.race([follow(session, options), signals.interrupted]);
}
