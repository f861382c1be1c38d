import { readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, release, totalmem } from "node:os";

/** One line about where the figures come from. */
export async function describeMachine(): Promise<string> {
  const os = /^PRETTY_NAME="?([^"\n]+)/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "unknown";
  const processor = cpus()[0]?.model ?? "unknown processor";
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${processor}), ${memoryGb} GB, ${arch()}, Linux ${release()}, ${os}`;
}
