import { invalid } from "./invalid.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Docker's `-e`: `NAME=value`, or `NAME`: the caller's own value, nothing when it has none. ENV_INVALID. */
export function resolveVariable(given: string, environment: Environment): string[] {
  if (given === "" || given.startsWith("="))
    throw invalid("ENV_INVALID", given, `invalid environment variable: ${given}`);
  if (given.includes("=")) return [given];
  const value = environment[given];
  return value === undefined ? [] : [`${given}=${value}`];
}

/** The lines of an `--env-file`: blank ones and those that begin with `#` do not count. ENV_INVALID. */
export function parseEnvFile(content: string, environment: Environment): string[] {
  return significantLines(content).flatMap((line) => {
    const name = line.split("=", 1)[0] ?? "";
    if (name === "") throw invalid("ENV_INVALID", line, `no variable name on line '${line}'`);
    if (/\s/.test(name))
      throw invalid("ENV_INVALID", line, `variable '${name}' contains whitespaces`, "NAME=value, one a line");
    return resolveVariable(line, environment);
  });
}

/** The lines of a `--label-file`. LABEL_INVALID. */
export function parseLabelFile(content: string): string[] {
  return significantLines(content).map((line) => {
    const name = line.split("=", 1)[0] ?? "";
    if (name === "" || /\s/.test(name))
      throw invalid("LABEL_INVALID", line, `label '${name}' is empty or contains whitespaces`);
    return line;
  });
}

function significantLines(content: string): string[] {
  return content
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.replace(/^\s+/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
}
