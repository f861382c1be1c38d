import { csvFields } from "./csv.ts";
import { invalid } from "./invalid.ts";
import { parseSize } from "./units/size.ts";

/** A mount as asked for; what is absent is the daemon's default. */
export interface Mount {
  readonly type: "bind" | "volume" | "tmpfs";
  /** Host path, volume name, or empty: anonymous. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation: string;
  readonly createSource: boolean;
  readonly noCopy: boolean;
  readonly driver: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tmpfsOptions: readonly string[];
  /** Volume: only this part of it. */
  readonly subpath: string;
  /** Bind: `disabled`, `writable`, `readonly`; empty is Docker's `enabled`. */
  readonly recursive: string;
  /** Volume: whom it belongs to while it is empty. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

const EMPTY = {
  source: "",
  readOnly: false,
  propagation: "",
  createSource: false,
  noCopy: false,
  driver: "",
  driverOptions: {},
  labels: {},
  tmpfsOptions: [],
  subpath: "",
  recursive: "",
  uid: undefined,
  gid: undefined,
};

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
const RECURSIONS = ["enabled", "disabled", "writable", "readonly"];
/** Of each kind `-v` takes one. Labels are SELinux's and consistency is another system's: Docker takes both without effect. */
const MODES: Readonly<Record<string, readonly string[]>> = {
  access: ["rw", "ro"],
  label: ["z", "Z"],
  copy: ["nocopy"],
  consistency: ["consistent", "cached", "delegated", "default"],
  propagation: PROPAGATIONS,
};
const OWNER = /^(uid|gid)=(.*)$/s;
/** (uid_t)-1 is no user. */
const MAX_ID = 2 ** 32 - 2;
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * Docker's `-v`: `TARGET`, `VOLUME:TARGET[:OPTIONS]`, `/HOST/PATH:TARGET[:OPTIONS]`; a path that begins with `.` or `~`
 * is taken from `here` (absolute). A missing host path is made. MOUNT_INVALID, VOLUME_NAME_INVALID.
 */
export function parseVolume(given: string, here: { readonly directory: string; readonly home: string }): Mount {
  const sections = given.split(":");
  if (sections.some((section) => section === "")) {
    throw refuse(given, `invalid spec: ${given}: empty section between colons`);
  }
  const [first = "", second, options = "", ...more] = sections;
  if (more.length > 0) throw refuse(given, `invalid volume specification: '${given}'`);
  if (second === undefined) return { ...EMPTY, type: "volume", target: checkTarget(first, given) };
  const source = hostPath(first, here);
  const isPath = source.startsWith("/");
  if (!isPath && !VOLUME_NAME.test(source)) {
    throw invalid(
      "VOLUME_NAME_INVALID",
      given,
      `"${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
      "for a directory of the host give its absolute path",
    );
  }
  const mount: Mount = {
    ...EMPTY,
    type: isPath ? "bind" : "volume",
    source,
    target: checkTarget(second, given),
    createSource: isPath,
  };
  checkModes(options, given);
  return options.split(",").reduce((before, option) => applyOption(before, option, given), mount);
}

function hostPath(source: string, { directory, home }: { directory: string; home: string }): string {
  if (source === "." || source === ".." || source.startsWith("./") || source.startsWith("../")) {
    return normalize(`${directory}/${source}`);
  }
  if (source === "~" || source.startsWith("~/")) return normalize(`${home}${source.slice(1)}`);
  return source;
}

/** node:path's normalize for absolute paths. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function checkModes(options: string, given: string): void {
  const words = options.split(",");
  for (const kind of Object.values(MODES)) {
    if (words.filter((word) => kind.includes(word)).length > 1) throw invalidMode(options, given);
  }
}

function applyOption(mount: Mount, option: string, given: string): Mount {
  if (option === "ro") return { ...mount, readOnly: true };
  if (option === "nocopy" && mount.type === "volume") return { ...mount, noCopy: true };
  const [, key = "", id = ""] = OWNER.exec(option) ?? [];
  if (key !== "" && mount.type === "volume") return { ...mount, [key]: ownerId(id, given) };
  if (PROPAGATIONS.includes(option) && mount.type === "bind") return { ...mount, propagation: option };
  const isKnown =
    ["", "rw"].includes(option) || MODES["label"]?.includes(option) || MODES["consistency"]?.includes(option);
  if (isKnown) return mount;
  throw invalidMode(option, given);
}

function invalidMode(mode: string, given: string) {
  return refuse(
    given,
    `invalid mode: ${mode}`,
    "ro, rw, for a volume nocopy, uid=1000, gid=1000, or for a host path shared, slave, private …",
  );
}

function ownerId(text: string, given: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_ID) return Number(text);
  throw refuse(given, `"${text}" is no number of a user or group`, "uid=1000,gid=1000: names are the container's");
}

function checkTarget(target: string, given: string): string {
  if (!target.startsWith("/")) throw refuse(given, `invalid mount path: '${target}' mount path must be absolute`);
  const path = normalize(target);
  if (path === "/") throw refuse(given, "invalid specification: destination can't be '/'");
  return path;
}

/** Docker's `--tmpfs`: `/run` or `/run:rw,size=64m`. MOUNT_INVALID. */
export function parseTmpfs(given: string): Mount {
  const colon = given.indexOf(":");
  const target = checkTarget(colon < 0 ? given : given.slice(0, colon), given);
  const options = colon < 0 ? [] : given.slice(colon + 1).split(",");
  const tmpfsOptions = options.filter((option) => option !== "");
  return { ...EMPTY, type: "tmpfs", target, readOnly: tmpfsOptions.includes("ro"), tmpfsOptions };
}

/** Docker's `--mount`: `type=bind,source=/data,target=/data,readonly`. MOUNT_INVALID. */
export function parseMount(given: string): Mount {
  let mount: Mount = { ...EMPTY, type: "volume", target: "" };
  const fields = csvFields(given).map((field) => splitField(field, given));
  for (const { key, value } of fields) if (key === "type") mount = { ...mount, type: mountType(value, given) };
  for (const { key, value } of fields) mount = applyField(mount, key, value, given);
  if (mount.target === "") throw refuse(given, "target is required");
  if (mount.type === "bind" && mount.source === "") throw refuse(given, "source is required for a bind mount");
  if (mount.type === "tmpfs" && mount.source !== "")
    throw refuse(given, "source must not be specified for a tmpfs mount");
  if (mount.type === "volume" && mount.source !== "" && !VOLUME_NAME.test(mount.source)) {
    throw refuse(given, `"${mount.source}" is no volume name`, "for a directory of the host say type=bind");
  }
  checkRecursion(mount, given);
  return mount;
}

/** Docker's rules for `bind-recursive`, and what it means for volumes. */
function checkRecursion({ recursive, readOnly, propagation }: Mount, given: string): void {
  if (recursive !== "writable" && recursive !== "readonly") return;
  const needs = (what: string) =>
    refuse(given, `option 'bind-recursive=${recursive}' requires '${what}' to be specified in conjunction`);
  if (!readOnly) throw needs("readonly");
  if (recursive === "readonly" && propagation !== "rprivate") throw needs("bind-propagation=rprivate");
}

function splitField(field: string, given: string): { key: string; value: string } {
  const equals = field.indexOf("=");
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase().trim();
  if (equals >= 0) return { key, value: field.slice(equals + 1) };
  if (["readonly", "ro", "volume-nocopy", "bind-nonrecursive"].includes(key)) return { key, value: "true" };
  throw refuse(given, `invalid field '${field}' must be a key=value pair`);
}

function mountType(value: string, given: string): Mount["type"] {
  const lower = value.toLowerCase();
  if (lower === "bind" || lower === "volume" || lower === "tmpfs") return lower;
  const fix =
    lower === "image" ? "create a container of that image and use --volumes-from, or ctl cp" : "bind, volume or tmpfs";
  throw refuse(given, `mount type "${value}" is not supported`, fix);
}

function applyField(mount: Mount, key: string, value: string, given: string): Mount {
  switch (key) {
    case "type":
    case "consistency":
      return mount;
    case "source":
    case "src":
      return { ...mount, source: mount.type === "bind" && !value.startsWith("/") ? fail(value, given) : value };
    case "target":
    case "dst":
    case "destination":
      return { ...mount, target: checkTarget(value, given) };
    case "readonly":
    case "ro":
      return { ...mount, readOnly: flag(key, value, given) };
    default:
      return applyTypedField(mount, key, value, given);
  }
}

/** Keys that belong to one type. */
function applyTypedField(mount: Mount, key: string, value: string, given: string): Mount {
  const [type, name] = key.split(/-(.*)/s);
  if (["bind", "volume", "tmpfs"].includes(type ?? "") && type !== mount.type) {
    throw refuse(given, `cannot mix '${key}' with mount type '${mount.type}'`);
  }
  const pair = () => Object.fromEntries([value.split(/=(.*)/s).concat("").slice(0, 2)]) as Record<string, string>;
  switch (`${type}-${name}`) {
    case "bind-propagation":
      if (!PROPAGATIONS.includes(value)) throw refuse(given, `invalid propagation mode: ${value}`);
      return { ...mount, propagation: value };
    case "bind-recursive":
      if (!RECURSIONS.includes(value)) {
        const words = '"enabled", "disabled", "writable", or "readonly"';
        throw refuse(given, `invalid value for ${key}: ${value} (must be ${words})`);
      }
      return { ...mount, recursive: value === "enabled" ? "" : value };
    case "bind-nonrecursive":
      return { ...mount, recursive: flag(key, value, given) ? "disabled" : "" };
    case "volume-subpath":
      return { ...mount, subpath: value };
    case "volume-nocopy":
      return { ...mount, noCopy: flag(key, value, given) };
    case "volume-uid":
    case "volume-gid":
      return { ...mount, [name ?? ""]: ownerId(value, given) };
    case "volume-driver":
      return { ...mount, driver: value };
    case "volume-opt":
      return { ...mount, driverOptions: { ...mount.driverOptions, ...pair() } };
    case "volume-label":
      return { ...mount, labels: { ...mount.labels, ...pair() } };
    case "tmpfs-size":
      return { ...mount, tmpfsOptions: [...mount.tmpfsOptions, `size=${parseSize(value)}`] };
    case "tmpfs-mode":
      if (!/^[0-7]{1,4}$/.test(value)) throw refuse(given, `invalid value for ${key}: ${value}`, "octal, like 1777");
      return { ...mount, tmpfsOptions: [...mount.tmpfsOptions, `mode=${value}`] };
    default:
      throw refuse(given, `unexpected key '${key}' in '${key}=${value}'`);
  }
}

function fail(value: string, given: string): never {
  throw refuse(given, `invalid mount path: '${value}' mount path must be absolute`);
}

function flag(key: string, value: string, given: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw refuse(given, `invalid value for ${key}: ${value}`, "true or false");
}

function refuse(
  given: string,
  why: string,
  fix = "NAME:/target, /host/path:/target, or --mount type=…,source=…,target=…",
) {
  return invalid("MOUNT_INVALID", given, why, fix);
}
