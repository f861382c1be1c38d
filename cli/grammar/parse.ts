import { CtlError } from "../../services/kit/errors.ts";
import type { Flag, Flags, FlagValues } from "./flags.ts";
import { nearest } from "./nearest.ts";

export interface ParsedArguments<F extends Flags> {
  readonly flags: FlagValues<F>;
  /** Which flags were written, whatever their value. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  /** `--help` was among the flags. */
  readonly wantsHelp: boolean;
}

export interface ParseRules {
  /** The command as it is called, for messages: `ctl run`. */
  readonly name: string;
  /** What follows the first argument is not ours to read (`run IMAGE …`). */
  readonly stopsAtArgument: boolean;
}

/**
 * Docker's grammar (spf13/pflag's): `--name value`, `--name=value`, `-it`, `-p80:80`, `-p=80:80`, switches only with
 * `=`, `--` ends the flags. Throws INVALID_ARGUMENT FLAG_UNKNOWN, FLAG_VALUE_MISSING or FLAG_VALUE_INVALID.
 */
export function parseArguments<F extends Flags>(
  declared: F,
  argv: readonly string[],
  rules: ParseRules,
): ParsedArguments<F> {
  const known: Flags = declared;
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(known)) values[name] = flag.initial;
  const given = new Set<string>();
  const args: string[] = [];
  let wantsHelp = false;
  const rest = [...argv];
  const set = (name: string, flag: Flag<unknown>, shown: string, text: string) => {
    values[name] = readValue(flag, text, values[name], shown, rules);
    given.add(name);
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      args.push(...rest.splice(0));
    } else if (word.startsWith("--")) {
      wantsHelp = readLong(word, rest, known, rules, set) || wantsHelp;
    } else if (word.startsWith("-") && word.length > 1) {
      wantsHelp = readShort(word, rest, known, rules, set) || wantsHelp;
    } else {
      args.push(word);
      if (rules.stopsAtArgument) args.push(...rest.splice(0));
    }
  }
  return { flags: values as FlagValues<F>, given, args, wantsHelp };
}

type SetFlag = (name: string, flag: Flag<unknown>, shown: string, text: string) => void;

/** True: it was --help. */
function readLong(word: string, rest: string[], known: Flags, rules: ParseRules, set: SetFlag): boolean {
  const equals = word.indexOf("=");
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const flag = Object.hasOwn(known, name) ? known[name] : undefined;
  if (flag === undefined && name === "help") return true;
  if (flag === undefined) throw unknown(`unknown flag: --${name}`, name, known, rules);
  const shown = shownName(name, flag);
  if (equals >= 0) set(name, flag, shown, word.slice(equals + 1));
  else if (flag.value === undefined) set(name, flag, shown, "true");
  else set(name, flag, shown, takeValue(rest, `--${name}`, rules));
  return false;
}

/** True: -h was among them, and it is no flag of this command's own. */
function readShort(word: string, rest: string[], known: Flags, rules: ParseRules, set: SetFlag): boolean {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const name = Object.keys(known).find((one) => known[one]?.short === letter);
    const flag = name === undefined ? undefined : known[name];
    if (name === undefined || flag === undefined) {
      if (letter === "h") return true;
      throw unknown(`unknown shorthand flag: '${letter}' in ${word}`, "", known, rules);
    }
    const shown = shownName(name, flag);
    const tail = word.slice(at + 1);
    if (flag.value === undefined && !tail.startsWith("=")) {
      set(name, flag, shown, "true");
      continue;
    }
    if (tail === "") set(name, flag, shown, takeValue(rest, `'${letter}' in ${word}`, rules));
    else set(name, flag, shown, tail.startsWith("=") ? tail.slice(1) : tail);
    break;
  }
  return false;
}

function takeValue(rest: string[], shown: string, rules: ParseRules): string {
  const value = rest.shift();
  if (value !== undefined) return value;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "FLAG_VALUE_MISSING",
    what: `read the flags of ${rules.name}`,
    why: `flag needs an argument: ${shown}`,
    fix: `${rules.name} --help tells what it takes`,
  });
}

/** A value's grammar throws a CtlError of its own, or a RangeError that only says what is wrong. */
function readValue(flag: Flag<unknown>, text: string, before: unknown, shown: string, rules: ParseRules): unknown {
  try {
    return flag.read(text, before);
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof CtlError)) throw cause;
    const why = cause instanceof CtlError ? cause.why : cause.message;
    throw new CtlError("INVALID_ARGUMENT", {
      reason: cause instanceof CtlError ? cause.reason : "FLAG_VALUE_INVALID",
      what: `read the flags of ${rules.name}`,
      why: `invalid argument "${text}" for "${shown}" flag: ${why}`,
      fix: (cause instanceof CtlError ? cause.fix : undefined) ?? `${rules.name} --help tells what it takes`,
      cause,
    });
  }
}

function shownName(name: string, flag: Flag<unknown>): string {
  return flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
}

function unknown(why: string, name: string, known: Flags, rules: ParseRules): CtlError {
  const near = name === "" ? undefined : nearest(name, Object.keys(known));
  const hint = near === undefined ? "" : `did you mean --${near}? `;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FLAG_UNKNOWN",
    what: `read the flags of ${rules.name}`,
    why,
    fix: `${hint}${rules.name} --help lists its flags`,
  });
}
