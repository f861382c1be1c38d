import { readdir, readFile, readlink } from "node:fs/promises";
import { identityOf, type ProcessIdentity } from "../../gateway/supervisor/process.ts";
/** Where one daemon lives, and its name on the host: what a TestDaemon has, too. */
export interface Place {
  readonly root: string;
  readonly run: string;
  readonly instance: string;
}

export interface DaemonProcess {
  /** What it is to the daemon: `gateway`, a service's name, `postgres`, `conmon`, `container` or `other`. */
  readonly role: string;
  readonly identity: ProcessIdentity;
  readonly parentPid: number;
  /** Its arguments, for showing. */
  readonly command: string;
}

/**
 * Every process of one daemon and of its containers, whoever started it: by its arguments, its working directory or its
 * cgroup, since what ctld starts outlives it in sessions of their own.
 */
export async function daemonProcesses(place: Place): Promise<DaemonProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => lookAt(pid, place).catch(() => undefined)));
  return found.filter((process) => process !== undefined);
}

/** Those of one role; of Postgres's the postmaster alone. */
export async function processesOf(role: string, place: Place): Promise<DaemonProcess[]> {
  const all = (await daemonProcesses(place)).filter((process) => process.role === role);
  const pids = new Set(all.map(({ identity }) => identity.pid));
  return role === "postgres" ? all.filter(({ parentPid }) => !pids.has(parentPid)) : all;
}

async function lookAt(pid: number, place: Place): Promise<DaemonProcess | undefined> {
  const identity = identityOf(pid);
  if (identity === undefined || pid === process.pid) return undefined;
  const [stat, cmdline, cgroups, cwd] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/cmdline`, "utf8"),
    readFile(`/proc/${pid}/cgroup`, "utf8"),
    readlink(`/proc/${pid}/cwd`).catch(() => ""),
  ]);
  const args = cmdline.split("\0").filter((argument) => argument !== "");
  const isPayload = cgroups.includes(`/${place.instance}/`) && cgroups.includes("/payload");
  const role = isPayload ? "container" : roleOf(args, cwd, place);
  if (role === undefined) return undefined;
  const parentPid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  return { role, identity, parentPid, command: args.join(" ") };
}

function roleOf(args: readonly string[], cwd: string, { root, run }: Place): string | undefined {
  if (cwd === `${root}/postgres`) return "postgres";
  if (!args.some((argument) => [root, run].some((path) => isBelow(argument, path)))) return undefined;
  const listen = args.find((argument) => argument.startsWith("--listen=")) ?? "";
  const service = /\/internal\/([a-z]+)-\d+\.sock/.exec(listen)?.[1];
  if (service !== undefined) return service;
  if (args.some((argument) => /gateway[-/]main\.[jt]s$/.test(argument))) return "gateway";
  return args[0]?.endsWith("conmon") === true ? "conmon" : "other";
}

/** `path` itself, something below it, or `--flag=path`. */
function isBelow(argument: string, path: string): boolean {
  const at = argument.indexOf(path);
  return at >= 0 && ["", "/"].includes(argument.charAt(at + path.length));
}
