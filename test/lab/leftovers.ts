import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isAlive, signalProcess } from "../../gateway/supervisor/process.ts";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { hostNames, isOurs } from "../../services/networks/names.ts";
import { daemonProcesses } from "./ctld-processes.ts";
import { eventually } from "./eventually.ts";
import type { Place } from "./place.ts";

/** Ends every process of a daemon and removes from the host all that bears its name. */
export async function clearHost(place: Place): Promise<void> {
  await crashHost(place);
  await command("userdel", `${place.instance}-postgres`);
  await rm(place.root, { recursive: true, force: true });
}

/** As a reboot leaves a host: no process, nothing in /run, no mount, link, nft table or cgroup; `root` stays. */
export async function crashHost(place: Place): Promise<void> {
  await killAll(place);
  for (const path of (await mountsBelow([place.root, place.run])).reverse()) await command("umount", "-l", path);
  for (const link of await linksOf(place)) await command("ip", "link", "del", link);
  await command("nft", "delete", "table", "inet", hostNames(place.instance).table);
  for (const cgroup of (await cgroupsOf(place)).reverse()) await rmdir(cgroup).catch(() => {});
  await rm(place.run, { recursive: true, force: true });
}

/** Several rounds: what is killed may have been about to start something. */
async function killAll(place: Place): Promise<void> {
  await eventually(async () => {
    const found = await daemonProcesses(place);
    for (const { identity } of found) signalProcess(identity, "SIGKILL");
    await eventually(() => found.every(({ identity }) => !isAlive(identity)));
    return found.length === 0;
  }, 20_000);
}

/** Mount points at or below these directories, parents first. */
export async function mountsBelow(directories: readonly string[]): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trimEnd().split("\n");
  return lines
    .map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "))
    .filter((path) => directories.some((directory) => path === directory || path.startsWith(`${directory}/`)));
}

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

/** Names of the links that the instance made in this network namespace. */
export async function linksOf({ instance }: Place): Promise<string[]> {
  const { stdout } = await command("ip", "-j", "link");
  const links: readonly Link[] = JSON.parse(stdout === "" ? "[]" : stdout);
  const names = hostNames(instance);
  return links
    .filter(
      (link) => isOurs(names, { name: link.ifname, alias: link.ifalias ?? "" }) || link.ifname === names.defaultBridge,
    )
    .map((link) => link.ifname);
}

/** The instance's cgroup directories in every hierarchy, parents first. */
export async function cgroupsOf({ instance }: Place): Promise<string[]> {
  const found: string[] = [];
  for (const top of ["/sys/fs/cgroup", ...(await subdirectories("/sys/fs/cgroup"))]) {
    const own = (await subdirectories(top)).filter((path) => path.slice(top.length + 1) === instance);
    for (const path of own) found.push(path, ...(await allBelow(path)));
  }
  return [...new Set(found)];
}

async function allBelow(path: string): Promise<string[]> {
  const direct = await subdirectories(path);
  return (await Promise.all(direct.map(async (child) => [child, ...(await allBelow(child))]))).flat();
}

async function subdirectories(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}

async function command(program: string, ...args: string[]) {
  return await runCommand(program, args, { signal: deadline(20_000, `run ${program} ${args.join(" ")}`) });
}
