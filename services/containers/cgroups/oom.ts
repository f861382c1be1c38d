import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CgroupLayout, controllerDirectory } from "./layout.ts";

/**
 * Whether the kernel killed something in this cgroup for want of memory. Ask before the cgroup is removed; false once
 * it is gone.
 */
export async function wasOomKilled(layout: CgroupLayout, path: string): Promise<boolean> {
  const directory = controllerDirectory(layout, "memory", path);
  if (directory === undefined) return false;
  const name = layout.mode === "v2" ? "memory.events" : "memory.oom_control";
  const text = await readFile(join(directory, name), "utf8").catch(() => "");
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
}
