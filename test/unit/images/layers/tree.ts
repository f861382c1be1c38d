import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { type ExtractedLayer, LayerExtractor } from "../../../../services/images/layers/extract.ts";
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from "../../../../services/images/layers/limits.ts";
import { loadFileCalls } from "../../../../services/kit/linux/file-calls.ts";
import { TarReader } from "../../../../services/kit/tar/reader.ts";
import { readXattrs } from "./xattrs.ts";

const calls = loadFileCalls();

/** Extracts an archive into a directory, in this thread. */
export function extract(archive: Buffer, directory: string, limits: Partial<LayerLimits> = {}): ExtractedLayer {
  using extractor = new LayerExtractor({
    calls,
    directory,
    limits: { ...DEFAULT_LAYER_LIMITS, ...limits },
    xattrs: "trusted",
  });
  const reader = new TarReader(extractor);
  reader.push(archive);
  reader.finish();
  return extractor.finish();
}

/** What is below a directory, one line an entry: `d 755 0:0 a/b`, files with content, links with where they lead. */
export async function tree(directory: string): Promise<string[]> {
  const names = (await below(directory, "")).sort();
  return await Promise.all(names.map((name) => describe(directory, name)));
}

/** readdir's own recursion follows symlinks. */
async function below(root: string, directory: string): Promise<string[]> {
  const entries = await readdir(join(root, directory), { withFileTypes: true });
  const names = entries.map(async (entry) => {
    const name = join(directory, entry.name);
    return entry.isDirectory() ? [name, ...(await below(root, name))] : [name];
  });
  return (await Promise.all(names)).flat();
}

async function describe(root: string, name: string): Promise<string> {
  const path = join(root, name);
  const stat = await lstat(path);
  const owner = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
  const xattrs = [...readXattrs(path)].map(([key, value]) => ` {${key}=${value}}`).join("");
  if (stat.isDirectory()) return `d ${owner} ${name}${xattrs}`;
  if (stat.isSymbolicLink()) return `l ${name} -> ${await readlink(path)}`;
  if (stat.isFIFO()) return `p ${owner} ${name}`;
  if (stat.isFile()) return `f ${owner} ${name} "${await readFile(path, "latin1")}"${xattrs}`;
  const device = `${(stat.rdev >> 8) & 0xfff}:${stat.rdev & 0xff}`;
  return `${stat.isBlockDevice() ? "b" : "c"} ${owner} ${name} ${device}`;
}
