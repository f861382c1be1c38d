import { invalid } from "./invalid.ts";

/** A grammar for one of a few words. VALUE_INVALID. */
export function choiceOf<T extends string>(...choices: readonly T[]): (given: string) => T {
  return (given) => {
    const found = choices.find((choice) => choice === given);
    if (found !== undefined) return found;
    throw invalid("VALUE_INVALID", given, `"${given}" is not known`, `one of ${choices.join(", ")}`);
  };
}
