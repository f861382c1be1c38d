/** The trace of one command. */
export interface Trace {
  /** A span for one call to the daemon, the parent of the daemon's own. Ending it twice is harmless. */
  startCall(path: string): CallSpan;
  /** Ends the command's span and sends everything; failing to send is silent but for a line on stderr. */
  finish(error: unknown): Promise<void>;
}

export interface CallSpan {
  /** W3C trace context. */
  readonly headers: Readonly<Record<string, string>>;
  end(error?: unknown): void;
}
