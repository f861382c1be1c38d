import type { Daemon } from "./daemon.ts";
import type { Output } from "./output/output.ts";

/** What a command acts on. */
export interface Context {
  /** The command as it was called: `ctl container ls`. */
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Connects at the first call. */
  readonly daemon: Daemon;
}
