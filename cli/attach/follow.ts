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

/**
 * `follow` once it has `begun`, with our signals passed on from then on; until then one that ends programs ends us. They are
 * ours to handle from the call on: call it before any output can come. Throws Interrupted.
 */
export async function followWithSignals(
  session: Session,
  begun: Promise<unknown>,
  options: FollowOptions & { readonly passesSignals: boolean },
): Promise<ExitStatus | "detached"> {
  using signals: SignalProxy | undefined = options.passesSignals ? proxySignals() : undefined;
  const orInterrupted = <T>(work: Promise<T>) =>
    signals === undefined ? work : Promise.race([work, signals.interrupted]);
  await orInterrupted(begun);
  signals?.passTo(session);
  return await orInterrupted(follow(session, options));
}
