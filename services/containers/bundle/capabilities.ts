import { CtlError } from "../../kit/errors.ts";
import type { OciCapabilities } from "./oci-config.ts";

/** In the kernel's order, see linux/capability.h: the index is the number. */
const ALL = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

/** Docker's. */
const DEFAULT: ReadonlySet<string> = new Set([
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
]);

export interface CapabilityWish {
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
}

/**
 * The set by Docker's grammar (names with or without `CAP_`, in any case, `ALL` for all): added ones join the default,
 * dropped ones leave it; `--cap-drop ALL --cap-add X` leaves X alone. What this host's own process may not hand on
 * (`available`, its bounding set) is left out of ALL and of privileged, and refused when named.
 * Throws INVALID_ARGUMENT CAPABILITY_UNKNOWN, FAILED_PRECONDITION CAPABILITY_UNAVAILABLE.
 */
export function capabilitiesOf(wish: CapabilityWish, available: ReadonlySet<string>): string[] {
  if (wish.privileged) return ALL.filter((name) => available.has(name));
  const added = new Set(wish.capAdd.map(canonicalName));
  const dropped = new Set(wish.capDrop.map(canonicalName));
  for (const name of added) if (name !== "ALL" && !available.has(name)) throw unavailable(name);
  return ALL.filter((name) => {
    if (!available.has(name)) return false;
    if (dropped.has("ALL")) return added.has(name);
    if (added.has("ALL")) return !dropped.has(name);
    return added.has(name) || (DEFAULT.has(name) && !dropped.has(name));
  });
}

/**
 * Only root gets them effective: a program of another user that has no file capabilities would lose them at execve
 * anyway. Never inheritable: that would let such a program win them back.
 */
export function processCapabilities(capabilities: readonly string[], uid: number): OciCapabilities {
  const active = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: active, permitted: active, inheritable: [], ambient: [] };
}

/** The names in a mask as /proc/PID/status shows it (`CapBnd: 000001ffffffffff`). */
export function capabilitiesInMask(hex: string): Set<string> {
  const mask = BigInt(`0x${hex.trim()}`);
  return new Set(ALL.filter((_name, number) => (mask >> BigInt(number)) & 1n));
}

function canonicalName(text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL") return upper;
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (ALL.some((known) => known === name)) return name;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "CAPABILITY_UNKNOWN",
    what: `add or drop the capability "${text}"`,
    why: "there is none of that name",
    fix: "see capabilities(7) for the names, or use ALL",
  });
}

function unavailable(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CAPABILITY_UNAVAILABLE",
    what: `add the capability ${name}`,
    why: "this host does not let the daemon have it, so it cannot hand it on",
    fix: `leave out --cap-add ${name}, or give it to the daemon`,
  });
}
