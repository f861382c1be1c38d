import { isAbsolute } from "node:path";
import { CtlError } from "../../../kit/errors.ts";
import { MountFlag } from "../../../kit/linux/mount.ts";
import type { StringMap } from "../../volume.ts";
import type { Restriction } from "../driver.ts";

/** What mount(2) is told for a volume that is more than a directory. */
export interface LocalMount {
  readonly type: string;
  readonly device: string;
  readonly isBind: boolean;
  readonly flags: number;
  /** The file system's own options, with commas. */
  readonly data: string;
}

/** mount(8)'s words for the flags of mount(2); the second number is what the word takes away. */
const FLAGS: Readonly<Record<string, readonly [add: number, remove: number]>> = {
  defaults: [0, 0],
  ro: [MountFlag.readOnly, 0],
  rw: [0, MountFlag.readOnly],
  nosuid: [MountFlag.noSuid, 0],
  suid: [0, MountFlag.noSuid],
  nodev: [MountFlag.noDev, 0],
  dev: [0, MountFlag.noDev],
  noexec: [MountFlag.noExec, 0],
  exec: [0, MountFlag.noExec],
  sync: [0x10, 0],
  async: [0, 0x10],
  dirsync: [0x80, 0],
  noatime: [0x400, 0],
  atime: [0, 0x400],
  nodiratime: [0x800, 0],
  diratime: [0, 0x800],
  relatime: [0x20_0000, 0],
  strictatime: [0x100_0000, 0],
  bind: [MountFlag.bind, 0],
  rbind: [MountFlag.bind | MountFlag.recursive, 0],
};

const REFUSED = ["remount", "move"];

/**
 * Docker's options of the `local` driver: `type` and `device` together, `o` beside them; none of them: a plain directory
 * (undefined). Throws INVALID_ARGUMENT VOLUME_OPTION_INVALID.
 */
export function parseLocalOptions(options: StringMap): LocalMount | undefined {
  for (const key of Object.keys(options)) {
    if (!["type", "o", "device"].includes(key)) throw invalid(`${key}=${options[key]}`, unknownOption(key));
  }
  const { type = "", device = "", o = "" } = options;
  if (Object.keys(options).length === 0) return undefined;
  if (type === "") throw invalid("without type", "type is needed beside the others");
  if (device === "") throw invalid("without device", "device is needed beside the others");
  const words = o.split(",").filter((word) => word !== "");
  const refused = words.find((word) => REFUSED.includes(word));
  if (refused !== undefined) throw invalid(`o=${refused}`, "a new mount is wanted, not a change of one");
  const flags = words.reduce(withFlag, 0);
  const isBind = (flags & MountFlag.bind) !== 0;
  if (isBind && !isAbsolute(device)) throw invalid(`device=${device}`, "a bind needs an absolute path of the host");
  const data = words.filter((word) => !Object.hasOwn(FLAGS, word)).join(",");
  return { type, device, isBind, flags, data };
}

const RESTRICTIONS = ["ro", "nosuid", "nodev", "noexec"] as const satisfies readonly Restriction[];

export function restrictionsOf(mount: LocalMount | undefined): Restriction[] {
  return RESTRICTIONS.filter((word) => ((mount?.flags ?? 0) & (FLAGS[word]?.[0] ?? 0)) !== 0);
}

function withFlag(flags: number, word: string): number {
  const [add, remove] = (Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined) ?? [0, 0];
  return (flags & ~remove) | add;
}

function unknownOption(key: string): string {
  return key === "size" ? "quotas on plain volumes are not supported (o=size=… with type=tmpfs is)" : "unknown option";
}

function invalid(option: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "VOLUME_OPTION_INVALID",
    what: `make a local volume ${option}`,
    why,
    fix: "use type, device and o, as in type=tmpfs device=tmpfs o=size=100m,uid=1000",
  });
}
