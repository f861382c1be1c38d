import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CgroupLayout, controllerDirectory, directoriesOf, type V1Controller } from "../layout.ts";
import type { CgroupUsage, FileText } from "./usage.ts";
import { parseV1, V1_FILES, type V1Texts } from "./v1.ts";
import { parseV2, V2_FILES, type V2Texts } from "./v2.ts";

/**
 * Reads a container's cgroup; undefined once that is gone. Without leaving the thread: a promise's read of a small file
 * is several trips to the pool.
 */
export function readCgroupUsage(layout: CgroupLayout, path: string): CgroupUsage | undefined {
  if (!existsSync(directoriesOf(layout, path)[0] ?? "")) return undefined;
  const read = (controller: V1Controller, name: string): FileText => {
    const directory = controllerDirectory(layout, controller, path);
    return directory === undefined ? undefined : readText(join(directory, name));
  };
  if (layout.mode === "v2") {
    return parseV2(Object.fromEntries(V2_FILES.map((name) => [name, read("memory", name)])) as V2Texts);
  }
  const texts = Object.entries(V1_FILES).map(([name, controller]) => [name, read(controller, name)]);
  return parseV1(Object.fromEntries(texts) as V1Texts);
}

/**
 * The most memory that a cgroup ever used. Ask before it is removed; undefined where the kernel does not say (v2 before
 * Linux 5.19), "gone" once it is.
 */
export function readPeakMemory(layout: CgroupLayout, path: string): number | undefined | "gone" {
  const directory = controllerDirectory(layout, "memory", path);
  if (directory === undefined) return undefined;
  const text = readText(join(directory, layout.mode === "v2" ? "memory.peak" : "memory.max_usage_in_bytes"));
  if (text !== undefined) return Number(text);
  return existsSync(directory) ? undefined : "gone";
}

function readText(path: string): FileText {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // this kernel has no such file, or the cgroup has just gone
  }
}
