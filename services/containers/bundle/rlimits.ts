import { CtlError } from "../../kit/errors.ts";
import { isRlimitName, type Rlimit, type RlimitName } from "../../kit/linux/rlimits.ts";
import type { Ulimit } from "../spec/spec.ts";
import type { OciRlimit } from "./oci-config.ts";

/** Whatever the daemon has: programs that close every possible descriptor take seconds with a limit of a billion. */
const DEFAULT_NOFILE: Rlimit = { soft: 1024, hard: 524_288 };
/** RLIM_INFINITY, which no number of JavaScript can be. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

export interface RlimitFacts {
  /** This process's own limits. */
  readonly own: (name: RlimitName) => Rlimit;
  /** CAP_SYS_RESOURCE: without it a hard limit cannot be raised. */
  readonly mayRaise: boolean;
}

/**
 * The limits asked for and the default of open files. A default above what this host lets the daemon give is lowered
 * to that; one asked for is refused. Throws INVALID_ARGUMENT ULIMIT_INVALID, FAILED_PRECONDITION ULIMIT_REFUSED.
 */
export function rlimitsOf(ulimits: readonly Ulimit[], facts: RlimitFacts): OciRlimit[] {
  const asked = new Map(ulimits.map((ulimit) => [ulimit.name.toLowerCase(), ulimit]));
  const limits = [...asked.values()].map((ulimit) => askedLimit(ulimit, facts));
  if (!asked.has("nofile")) limits.push(toOci("nofile", lowered(DEFAULT_NOFILE, facts.own("nofile"), facts.mayRaise)));
  return limits;
}

function lowered(limit: Rlimit, own: Rlimit, mayRaise: boolean): Rlimit {
  if (mayRaise) return limit;
  return { soft: Math.min(limit.soft, own.hard), hard: Math.min(limit.hard, own.hard) };
}

function askedLimit(ulimit: Ulimit, { own, mayRaise }: RlimitFacts): OciRlimit {
  const name = ulimit.name.toLowerCase();
  const soft = toLimit(ulimit.soft);
  const hard = toLimit(ulimit.hard);
  if (!isRlimitName(name)) throw invalid(ulimit, "there is no limit of that name (see setrlimit(2))");
  if (soft > hard) throw invalid(ulimit, `the soft limit ${ulimit.soft} is above the hard limit ${ulimit.hard}`);
  const ownHard = own(name).hard;
  if (!mayRaise && hard > ownHard) throw refused(ulimit, ownHard);
  return toOci(name, { soft, hard });
}

function toLimit(value: number): number {
  return value < 0 ? Number.POSITIVE_INFINITY : value;
}

function toOci(name: RlimitName, { soft, hard }: Rlimit): OciRlimit {
  return { type: `RLIMIT_${name.toUpperCase()}`, soft: toJson(soft), hard: toJson(hard) };
}

function toJson(value: number): number | bigint {
  return Number.isFinite(value) ? value : UNLIMITED;
}

function invalid({ name, soft, hard }: Ulimit, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "ULIMIT_INVALID",
    what: `set the ulimit ${name}=${soft}:${hard}`,
    why,
    fix: "write --ulimit NAME=SOFT[:HARD], as in --ulimit nofile=1024:4096",
  });
}

function refused({ name, soft, hard }: Ulimit, ownHard: number): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "ULIMIT_REFUSED",
    what: `set the ulimit ${name}=${soft}:${hard}`,
    why: `the daemon's own hard limit is ${ownHard} and this host does not let it be raised (no CAP_SYS_RESOURCE)`,
    fix: `ask for at most ${ownHard}`,
  });
}
