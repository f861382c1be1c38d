import { readdir, readFile } from "node:fs/promises";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { cgroupsOf } from "./sweep.ts";

/** What tests may leave on a host, each kind a list of names (the same name may come several times). */
export type HostState = Readonly<Record<string, readonly string[]>>;

/**
 * The host as this process sees it. `run` is the name that everything of a test run begins with: cgroups and files are
 * shared with whoever else works on the host, so only those that bear it count.
 */
export async function hostState(run: string): Promise<HostState> {
  return {
    mount: await mounts(),
    "network namespace": await namesIn("/run/netns"),
    link: (await lines("ip", "-oneline", "link", "show")).map((line) => line.split(": ")[1]?.replace(/@.*/, "") ?? ""),
    "nft table": await lines("nft", "list", "tables"),
    cgroup: await cgroupsOf(run),
    user: (await readFile("/etc/passwd", "utf8")).split("\n").filter((line) => line.startsWith(run)),
    process: await processes(),
    "directory in /var/tmp": (await namesIn("/var/tmp")).filter((name) => name.startsWith("ctl-")),
  };
}

/** One line for each thing that is more often there than before, or less often. */
export function differences(before: HostState, after: HostState): string[] {
  return Object.keys({ ...before, ...after }).flatMap((kind) => {
    const [was, is] = [countEach(before[kind]), countEach(after[kind])];
    return [...new Set([...was.keys(), ...is.keys()])].flatMap((name) => {
      const change = (is.get(name) ?? 0) - (was.get(name) ?? 0);
      if (change === 0) return [];
      return change > 0 ? [`left behind: ${kind} ${name}`] : [`taken away: ${kind} ${name}`];
    });
  });
}

function countEach(names: readonly string[] = []): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

async function mounts(): Promise<string[]> {
  const text = await readFile("/proc/self/mountinfo", "utf8");
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const type = fields[fields.indexOf("-") + 1];
    const path = fields[4];
    // automounts come and go by themselves; `ip netns` makes /run/netns a mount at its first use and keeps it
    const isOthers = type === "autofs" || type === "binfmt_misc" || path === "/run/netns";
    return path === undefined || isOthers ? [] : [`${path} (${type})`];
  });
}

/** Ours by what they run: shells and their tools come and go with whoever looks. */
const PROGRAMS = /(^|\/)(conmon|crun|runc|postgres|docker-registry|nginx|redis-server|ctld?|node)$/;

async function processes(): Promise<string[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
      const isKernelThreadOrEnded = args[0] === "";
      return isKernelThreadOrEnded || !PROGRAMS.test(args[0] ?? "") ? [] : [`${pid} ${args.slice(0, 4).join(" ")}`];
    }),
  );
  return found.flat();
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

async function lines(program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await runCommand(program, args, { signal: deadline(10_000, `${program} ${args.join(" ")}`) });
  return stdout.split("\n").filter((line) => line !== "");
}
