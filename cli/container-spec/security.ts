import { readFileSync } from "node:fs";
import { invalid } from "../values/invalid.ts";

const KEYS = ["apparmor", "label", "no-new-privileges", "seccomp", "systempaths", "writable-cgroups"];

/**
 * `--security-opt`. A seccomp profile is a file here and its content for the daemon, which may run elsewhere.
 * SECURITY_OPTION_INVALID.
 */
export function securityOptionsOf(given: readonly string[]): string[] {
  return given.map((option) => {
    // Docker's older spelling has a colon
    const [key = "", value] = option.includes("=") ? option.split(/=(.*)/s) : option.split(/:(.*)/s);
    if (!KEYS.includes(key)) throw refuse(option, `unknown option ${key}`);
    if (key === "no-new-privileges" && value === undefined) return option;
    if (value === undefined || value === "") throw refuse(option, `${key} needs a value`);
    return key === "seccomp" ? `seccomp=${seccompProfile(value, option)}` : `${key}=${value}`;
  });
}

function seccompProfile(value: string, option: string): string {
  if (value === "unconfined" || value === "builtin") return value;
  try {
    return JSON.stringify(JSON.parse(readFileSync(value, "utf8")));
  } catch (cause) {
    throw refuse(
      option,
      `the profile ${value} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

function refuse(option: string, why: string) {
  return invalid("SECURITY_OPTION_INVALID", option, why, `one of ${KEYS.join(", ")}, as KEY=VALUE`);
}
