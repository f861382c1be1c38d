/** One flag of a command: how it is shown and how its text becomes a value. */
export interface Flag<T> {
  readonly help: string;
  readonly short?: string;
  /** What help calls the value ("string", "bytes"); without it the flag is a switch: `--rm`, `--rm=false`. */
  readonly value?: string;
  readonly initial: T;
  /** Not shown in help. */
  readonly isHidden?: boolean;
  /** `before` is the initial value or what an earlier occurrence gave. May throw a CtlError. */
  read(text: string, before: T): T;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The values that a declaration's flags give, by their long names. */
export type FlagValues<F> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

interface Shown {
  readonly help: string;
  readonly short?: string;
  readonly value?: string;
  /** Another spelling that Docker takes, or one without effect here. */
  readonly isHidden?: boolean;
}

export function toggle(shown: Shown & { readonly initial?: boolean }): Flag<boolean> {
  return { initial: false, ...shown, read: readBoolean };
}

/** A switch that may be left as it is: undefined. */
export function optionalToggle(shown: Shown): Flag<boolean | undefined> {
  return { ...shown, initial: undefined, read: readBoolean };
}

export function text(shown: Shown): Flag<string | undefined> {
  return { value: "string", ...shown, initial: undefined, read: (given) => given };
}

export function list(shown: Shown): Flag<readonly string[]> {
  return { value: "list", ...shown, initial: [], read: (given, before) => [...before, given] };
}

export function parsed<T>(shown: Shown, parse: (given: string) => T): Flag<T | undefined> {
  return { value: "string", ...shown, initial: undefined, read: (given) => parse(given) };
}

export function parsedList<T>(shown: Shown, parse: (given: string) => T | readonly T[]): Flag<readonly T[]> {
  return { value: "list", ...shown, initial: [], read: (given, before) => before.concat(parse(given)) };
}

export function integer(shown: Shown): Flag<number | undefined> {
  return parsed({ value: "int", ...shown }, (given) => {
    if (!/^[+-]?\d+$/.test(given)) throw new RangeError(`"${given}" is no whole number`);
    return Number(given);
  });
}

/** What Go's strconv.ParseBool takes. */
export function readBoolean(given: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(given)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(given)) return false;
  throw new RangeError(`"${given}" is neither true nor false`);
}
