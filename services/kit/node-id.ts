import { randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWrite } from "./atomic-write.ts";

/** This host's id below `root`, minted at the first start: every host-bound row carries it. */
export async function nodeId(root: string): Promise<string> {
  const path = join(root, "node-id");
  const known = await readFile(path, "utf8").catch(() => "");
  if (known.trim() !== "") return known.trim();
  await mkdir(root, { recursive: true });
  await atomicWrite(path, `${randomUUID()}\n`, 0o644);
  // two services that start at once agree on the one that was renamed last
  return (await readFile(path, "utf8")).trim();
}
