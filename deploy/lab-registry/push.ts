import { execFile } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { deadline } from "../../services/kit/deadlines.ts";
import { makeImage } from "./image.ts";
import { LAB_IMAGES, type LabImage } from "./images.ts";
import { RegistryClient } from "./registry-client.ts";

const run = promisify(execFile);
const REPRODUCIBLE = [
  "--sort=name",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--mtime=@1700000000",
  "--mode=u=rwX,go=rX",
];

const [url, roots, ...names] = process.argv.slice(2);
if (url === undefined || roots === undefined || names.length === 0) {
  throw new Error("usage: node push.ts URL ROOTS-DIRECTORY IMAGE...");
}
const registry = new RegistryClient(url);
for (const name of names) {
  const image = LAB_IMAGES.find(({ root }) => root === name);
  if (image === undefined) throw new Error(`no lab image is called ${name}`);
  await pushLabImage(image, registry, roots);
}

async function pushLabImage(image: LabImage, registry: RegistryClient, roots: string): Promise<void> {
  const work = await mkdtemp("/var/tmp/ctl-lab-push-");
  try {
    const layers = [join(roots, `${image.root}.tar.gz`)];
    if (image.files !== undefined) layers.push(await packFiles(image.files, work));
    const signal = deadline(120_000, `push ${image.repository}`);
    await registry.push(image.repository, image.tags, await makeImage(layers, image.config), signal);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function packFiles(name: string, work: string): Promise<string> {
  const tar = join(work, "files.tar");
  const files = join(import.meta.dirname, "files", name);
  await run("tar", [...REPRODUCIBLE, "-C", files, "-cf", tar, "."]);
  await pipeline(createReadStream(tar), createGzip(), createWriteStream(`${tar}.gz`));
  return `${tar}.gz`;
}
