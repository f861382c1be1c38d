import type { OwnTerminal } from "./terminal.ts";

/**
 * Our terminal for a process that has one; undefined: it has none, and the code for it is not even loaded. With `hasInput`
 * ours has to be one. Throws INVALID_ARGUMENT INPUT_NOT_TERMINAL.
 */
export async function terminalFor(isTty: boolean, hasInput: boolean, what: string): Promise<OwnTerminal | undefined> {
  if (!isTty) return undefined;
  const { OwnTerminal, requireTerminal } = await import("./terminal.ts");
  if (hasInput) await requireTerminal(what);
  return new OwnTerminal();
}
