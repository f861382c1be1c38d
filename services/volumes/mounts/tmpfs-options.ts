import { CtlError } from "../../kit/errors.ts";

/** Each flag of mount(8) that a tmpfs takes, with the one that it contradicts. */
const OPPOSITES: Readonly<Record<string, string>> = pairs([
  ["ro", "rw"],
  ["nosuid", "suid"],
  ["nodev", "dev"],
  ["noexec", "exec"],
  ["sync", "async"],
  ["noatime", "atime"],
  ["nodiratime", "diratime"],
  ["relatime", "norelatime"],
  ["strictatime", "nostrictatime"],
  ["mand", "nomand"],
]);

/** Values of tmpfs(5): sizes in bytes, or with k, m, g and, for the size itself, a percentage of memory. */
const VALUES: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmg%]?$/i,
  nr_blocks: /^\d+[kmg]?$/i,
  nr_inodes: /^\d+[kmg]?$/i,
  mode: /^0?[0-7]{1,4}$/,
  uid: /^\d{1,10}$/,
  gid: /^\d{1,10}$/,
  mpol: /^[a-z]+(=[a-z]+)?(:[0-9,-]+)?$/,
  huge: /^(never|always|within_size|advise)$/,
};

const DEFAULTS = ["noexec", "nosuid", "nodev"];

/**
 * Docker's default options, then the caller's; of two that contradict each other the later one stays. Each text may
 * hold several, with commas. Throws INVALID_ARGUMENT TMPFS_OPTION_INVALID.
 */
export function parseTmpfsOptions(texts: readonly string[]): string[] {
  const given = texts.flatMap((text) => text.split(",")).filter((option) => option !== "" && option !== "defaults");
  const chosen = new Map<string, string>();
  for (const option of [...DEFAULTS, ...given]) {
    const key = keyOf(option);
    const opposite = OPPOSITES[key];
    if (opposite !== undefined) chosen.delete(opposite);
    chosen.set(key, option);
  }
  return [...chosen.values()];
}

function keyOf(option: string): string {
  if (Object.hasOwn(OPPOSITES, option)) return option;
  const at = option.indexOf("=");
  const key = at < 0 ? option : option.slice(0, at);
  if (at > 0 && Object.hasOwn(VALUES, key) && VALUES[key]?.test(option.slice(at + 1)) === true) return key;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "TMPFS_OPTION_INVALID",
    what: `mount a tmpfs with the option "${option}"`,
    why: Object.hasOwn(VALUES, key) ? `${key} cannot have that value` : "a tmpfs has no such option",
    fix: `use ${Object.keys(VALUES).join("=, ")}= or one of ${Object.keys(OPPOSITES).join(", ")}`,
  });
}

function pairs(list: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(
    list.flatMap(([one, other]) => [
      [one, other],
      [other, one],
    ]),
  );
}
