import { type Flag, readBoolean } from "../grammar/flags.ts";
import { invalid } from "./invalid.ts";

/** A flag that Docker has for another system: refused as Docker refuses it. FLAG_UNSUPPORTED. */
export function windowsOnly(name: string): Flag<undefined> {
  const why = `"--${name}" is only supported on a Docker daemon running on windows, but the daemon is running on linux`;
  return unsupported(`Windows only`, why, "leave it out");
}

/** A flag that Docker knows, and that is always refused here with its reason. FLAG_UNSUPPORTED. */
export function unsupported(
  help: string,
  why: string,
  fix: string,
  value: string | undefined = "string",
): Flag<undefined> {
  return {
    help,
    isHidden: true,
    ...(value === undefined ? {} : { value }),
    initial: undefined,
    read: (given) => {
      throw invalid("FLAG_UNSUPPORTED", given, why, fix);
    },
  };
}

/** Docker's `--isolation`: Linux has one. ISOLATION_INVALID. */
export function parseIsolation(given: string): string {
  if (given === "" || given === "default") return given;
  throw invalid(
    "ISOLATION_INVALID",
    given,
    `invalid isolation: "${given}" - linux only supports 'default'`,
    "leave it out",
  );
}

/** Docker's `--disable-content-trust`: true, its default, is what there is. FLAG_UNSUPPORTED. */
export function contentTrust(): Flag<boolean> {
  return {
    help: "Docker's, without effect",
    isHidden: true,
    initial: true,
    read: (given) => {
      if (readBoolean(given)) return true;
      throw invalid(
        "FLAG_UNSUPPORTED",
        given,
        "images are verified by digest, not by Docker's content trust",
        "leave it out",
      );
    },
  };
}
