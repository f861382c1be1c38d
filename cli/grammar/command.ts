import { CtlError } from "../../services/kit/errors.ts";
import type { Context } from "../context.ts";
import type { Flags } from "./flags.ts";
import { type ParsedArguments, parseArguments } from "./parse.ts";

/** What a command is: the one declaration that parsing, help and the list of commands come from. */
export interface Declaration<F extends Flags> {
  /** One line, as `ctl --help` lists it. */
  readonly summary: string;
  /** What follows the command's name: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string;
  readonly flags: F;
  readonly least: number;
  /** Left out: any number. */
  readonly most?: number;
  /** What follows the first argument belongs to the container (`run`, `exec`, `create`, `top`). */
  readonly stopsAtArgument?: boolean;
  /** Answers the exit code. */
  run(parsed: ParsedArguments<F>, context: Context): Promise<number>;
}

/** A command whose flags' types stay inside. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly flags: Flags;
  /** Undefined: the user asked for help. */
  run(argv: readonly string[], context: Context): Promise<number | undefined>;
}

export function command<const F extends Flags>(declaration: Declaration<F>): Command {
  const { summary, usage, flags, stopsAtArgument = false } = declaration;
  return {
    summary,
    usage,
    flags,
    async run(argv, context) {
      const parsed = parseArguments(flags, argv, { name: context.name, stopsAtArgument });
      if (parsed.wantsHelp) return undefined;
      checkCount(parsed.args.length, declaration, context.name);
      return declaration.run(parsed, context);
    },
  };
}

/** The command line was understood, but it does not fit the command: Docker's exit code for it is 1, not 125. */
export const ARGUMENT_COUNT = "ARGUMENT_COUNT";

function checkCount(
  count: number,
  { least, most, usage }: { least: number; most?: number; usage: string },
  name: string,
) {
  if (count >= least && (most === undefined || count <= most)) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: ARGUMENT_COUNT,
    what: `run ${name}`,
    why: `"${name}" ${wanted(least, most)}`,
    fix: `usage: ${name} ${usage}`,
  });
}

function wanted(least: number, most: number | undefined): string {
  const plural = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  if (most === 0) return "accepts no arguments";
  if (most === least) return `requires exactly ${plural(least)}`;
  if (most === undefined) return `requires at least ${plural(least)}`;
  return least === 0 ? `accepts at most ${plural(most)}` : `requires between ${least} and ${plural(most)}`;
}
