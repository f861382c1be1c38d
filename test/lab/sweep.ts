import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { hostNames, isOurs } from "../../services/networks/names.ts";
import { eventually } from "./eventually.ts";

/**
 * Takes away what an instance of a test keeps on the host when its daemon has ended: containers that go on, the cgroup,
 * mounts, the warm pool's namespaces and links, the nftables table, Postgres's user. Idempotent; the daemon must not run.
 */
export async function sweepInstance(instance: string, directory: string): Promise<void> {
  await powerOff(instance, directory);
  await run("userdel", `${instance}-postgres`);
}

/** As a host that is switched off and on again: files and users stay, what the kernel knew of the instance does not. */
export async function powerOff(instance: string, directory: string): Promise<void> {
  await killProcesses(instance, directory);
  await unmountBelow(directory);
  await removeNetwork(instance);
  await removeCgroups(instance);
}

async function killProcesses(instance: string, directory: string): Promise<void> {
  await eventually(async () => {
    const pids = new Set([...(await processesNaming(directory)), ...(await processesInCgroups(instance))]);
    for (const pid of pids) kill(pid);
    return pids.size === 0;
  }, 15_000);
}

async function processesNaming(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return text.includes(`${directory}/`) ? pid : 0;
    }),
  );
  return found.filter((pid) => pid > 0);
}

async function processesInCgroups(instance: string): Promise<number[]> {
  const groups = await cgroupsOf(instance);
  const lists = await Promise.all(groups.map((group) => readFile(join(group, "cgroup.procs"), "utf8").catch(() => "")));
  return lists.flatMap((list) => list.split("\n").map(Number)).filter((pid) => pid > 0);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended by itself
  }
}

/** The last mounted first; what is still in use goes when its user does. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
  for (const path of mounts.reverse()) {
    if (path.startsWith(`${directory}/`)) await run("umount", "--lazy", path);
  }
}

async function removeNetwork(instance: string): Promise<void> {
  const names = hostNames(instance);
  await run("nft", "delete", "table", "inet", names.table);
  const { stdout } = await run("ip", "-json", "link", "show");
  const links: { ifname: string; ifalias?: string }[] = stdout === "" ? [] : JSON.parse(stdout);
  for (const { ifname, ifalias = "" } of links) {
    const ours = isOurs(names, { name: ifname, alias: ifalias }) || ifname === names.defaultBridge;
    if (ours) await run("ip", "link", "delete", ifname);
  }
}

async function removeCgroups(instance: string): Promise<void> {
  await eventually(async () => {
    for (const group of (await cgroupsOf(instance)).reverse()) await rmdir(group).catch(() => {});
    return (await cgroupsOf(instance)).length === 0;
  }, 5_000);
}

/** Every cgroup of the instance, in each hierarchy (cgroup v1 has several), parents first. */
export async function cgroupsOf(instance: string): Promise<string[]> {
  const { stdout } = await run("find", "/sys/fs/cgroup", "-type", "d", "-path", `*/${instance}*`);
  return stdout.split("\n").filter((path) => path !== "");
}

/** A refusal is no news here: what is to go may be gone. */
function run(program: string, ...args: string[]) {
  return runCommand(program, args, {
    signal: deadline(20_000, `${program} ${args.join(" ")}`),
    maxOutputBytes: 8 << 20,
  });
}
