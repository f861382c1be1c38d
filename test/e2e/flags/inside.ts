import { readFile } from "node:fs/promises";

/** `name=value` lines as a map: what a script inside a container saw. */
export function seen(text: string): Record<string, string> {
  const pairs = text
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** A script that prints each command's output, on one line, behind its name. */
export function look(commands: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries(commands).map(
    ([name, command]) => `echo "${name}=$({ ${command}; } 2>&1 | tr '\\n' ' ')"`,
  );
  return ["sh", "-c", lines.join("; ")];
}

/** A file of the cgroup that a process is in, whatever the host's cgroups are; undefined where there is none. */
export async function cgroupFile(pid: number, controller: string, name: string): Promise<string | undefined> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n");
  const line =
    lines.find((one) => (one.split(":")[1] ?? "").split(",").includes(controller)) ??
    lines.find((one) => one.startsWith("0::"));
  const path = line?.split(":").slice(2).join(":") ?? "";
  const directory = line?.startsWith("0::") === true ? "" : `/${controller}`;
  return readFile(`/sys/fs/cgroup${directory}${path}/${name}`, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}
