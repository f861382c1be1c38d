import { invalid } from "./invalid.ts";

export interface RestartPolicy {
  readonly mode: "no" | "always" | "unless-stopped" | "on-failure";
  /** on-failure only; 0: no limit. */
  readonly maxRetries: number;
}

/** Docker's `--restart`. RESTART_POLICY_INVALID. */
export function parseRestartPolicy(given: string): RestartPolicy {
  const [mode = "", count, ...more] = given.split(":");
  if (more.length > 0 || (count !== undefined && !/^\d+$/.test(count))) {
    throw refuse(given, `invalid restart policy format: maximum retry count must be a whole number, got ${given}`);
  }
  const maxRetries = Number(count ?? 0);
  switch (mode) {
    case "":
    case "no":
    case "always":
    case "unless-stopped":
      if (maxRetries > 0) throw refuse(given, "maximum retry count can only be used with 'on-failure'");
      return { mode: mode === "" ? "no" : mode, maxRetries: 0 };
    case "on-failure":
      return { mode, maxRetries };
    default:
      throw refuse(given, `unknown policy '${mode}'`);
  }
}

function refuse(given: string, why: string) {
  return invalid("RESTART_POLICY_INVALID", given, why, "one of no, always, unless-stopped, on-failure or on-failure:3");
}
