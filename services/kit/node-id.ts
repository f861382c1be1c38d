import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** This host's id below `root`, minted at the first start: every host-bound row carries it. */
export async function nodeId(root: string): Promise<string> {
  const path = join(root, "node-id");
  const known = await readFile(path, "utf8").catch(() => "");
  if (known.trim() !== "") return known.trim();
  await mkdir(root, { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, `${randomUUID()}\n`, { mode: 0o644, flush: true });
  try {
    // services start at once: a link is refused where a rename would replace the id that another one goes by already
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return (await readFile(path, "utf8")).trim();
}
