import type { ExitStatus } from "#proto/ctl/containers/v1/containers.ts";
import type { OwnTerminal } from "../terminal/terminal.ts";
import { pumpStdin } from "./input.ts";
import type { Session } from "./session.ts";
import { proxySignals, type SignalProxy } from "./signals.ts";

export interface FollowOptions {
  readonly stdin: boolean;
  /** Undefined: the process has no terminal. */
  readonly terminal: OwnTerminal | undefined;
  readonly detachKeys: Buffer;
}

/** Our input, and our terminal, are the process's until it ends. */
export async function follow(session: Session, options: FollowOptions): Promise<ExitStatus | "detached"> {
  const { stdin, terminal, detachKeys } = options;
  terminal?.tellSizeTo(session);
  const failed = Promise.withResolvers<never>();
  if (stdin) pumpStdin(session, terminal === undefined ? undefined : detachKeys).catch(failed.reject);
  return await Promise.race([session.ended, failed.promise]);
}

/** `follow` with our signals passed on. Throws Interrupted. */
export async function followWithSignals(
  session: Session,
  options: FollowOptions & { readonly passesSignals: boolean },
): Promise<ExitStatus | "detached"> {
  if (!options.passesSignals) return follow(session, options);
  using signals: SignalProxy = proxySignals();
  signals.passTo(session);
  return await Promise.race([follow(session, options), signals.interrupted]);
}
