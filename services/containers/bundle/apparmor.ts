import { readFile } from "node:fs/promises";
import { CtlError } from "../../kit/errors.ts";

/**
 * The profile for a container's process: undefined where the kernel has no AppArmor or the container is privileged.
 * Asked for by name it must be loaded. Throws FAILED_PRECONDITION APPARMOR_MISSING.
 */
export function apparmorProfile(
  asked: string | undefined,
  privileged: boolean,
  facts: AppArmorFacts,
): string | undefined {
  if (!facts.isEnabled) {
    if (asked === undefined || asked === "unconfined") return undefined;
    throw missing(asked, "this kernel has no AppArmor");
  }
  if (asked === undefined) return privileged || !facts.loaded.has(DEFAULT_PROFILE) ? undefined : DEFAULT_PROFILE;
  if (asked === "unconfined" || facts.loaded.has(asked)) return asked;
  throw missing(asked, "no profile of that name is loaded");
}

/** Docker's own name, so that hosts which have it loaded for Docker confine ours the same way. */
const DEFAULT_PROFILE = "docker-default";

export interface AppArmorFacts {
  readonly isEnabled: boolean;
  readonly loaded: ReadonlySet<string>;
}

export async function readAppArmorFacts(): Promise<AppArmorFacts> {
  const enabled = await readFile("/sys/module/apparmor/parameters/enabled", "utf8").catch(() => "N");
  const profiles = await readFile("/sys/kernel/security/apparmor/profiles", "utf8").catch(() => "");
  const names = profiles.split("\n").map((line) => line.replace(/ \(\w+\)$/, ""));
  return { isEnabled: enabled.startsWith("Y") && profiles !== "", loaded: new Set(names) };
}

function missing(profile: string, why: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "APPARMOR_MISSING",
    what: `confine the container with the AppArmor profile "${profile}"`,
    why,
    fix: "load it with apparmor_parser, or use --security-opt apparmor=unconfined",
  });
}
