import { readdir, readFile } from "node:fs/promises";

export interface NamedProcess {
  readonly name: string;
  readonly pid: number;
}

/** Those of one DockerPeer: dockerd names its directory in its arguments, and so does the containerd that it starts. */
export async function dockerProcesses(directory: string): Promise<NamedProcess[]> {
  const found: NamedProcess[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const [program = "", ...args] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (args.some((argument) => argument.includes(`${directory}/`))) {
      found.push({ name: program.slice(program.lastIndexOf("/") + 1), pid });
    }
  }
  return found;
}
