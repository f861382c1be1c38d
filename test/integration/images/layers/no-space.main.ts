import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ingestBlob } from "../../../../services/images/blobs/ingest.ts";
import { digestOf } from "../../../../services/images/digest.ts";
import { ExtractionPool } from "../../../../services/images/layers/extraction-pool.ts";
import { ingestLayer } from "../../../../services/images/layers/ingest.ts";
import { DEFAULT_LAYER_LIMITS } from "../../../../services/images/layers/limits.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { isCtlError } from "../../../../services/kit/errors.ts";
import { file, tar } from "../../../lab/tar.ts";

/** Runs on a tmpfs of 4 MB and 1,000 inodes that its starter mounted in a namespace of its own; prints what happened as JSON. */
const root = process.argv[2] ?? "";
const signal = deadline(15_000, "fill a disk");
await using pool = new ExtractionPool();

const layer = await reasonOf(() => ingest("a", tar(file("f", randomBytes(5_000_000)))));
const big = randomBytes(5_000_000);
const blob = await reasonOf(() =>
  ingestBlob(join(root, "blobs"), [big], { digest: digestOf(big), size: big.length }, signal),
);
const many = Array.from({ length: 2_000 }, (_, i) => file(`${i}`, ""));
const inodes = await reasonOf(() => ingest("b", tar(...many)));
const left = [...(await readdir(join(root, "l"))), ...(await readdir(join(root, "blobs/ingest")).catch(() => []))];
const afterwards = await ingest("c", tar(file("f", Buffer.alloc(3_000_000))));
console.log(JSON.stringify({ layer, blob, inodes, left, afterwards }));

async function ingest(name: string, archive: Buffer): Promise<number> {
  const { sizeBytes } = await ingestLayer(
    {
      source: async function* () {
        for (let at = 0; at < archive.length; at += 65_536) yield archive.subarray(at, at + 65_536);
      },
      descriptor: { mediaType: "", digest: digestOf(archive), size: archive.length },
      diffId: digestOf(archive),
      directory: join(root, "l", name),
      limits: DEFAULT_LAYER_LIMITS,
      xattrs: "trusted",
    },
    pool,
    signal,
  );
  return sizeBytes;
}

async function reasonOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    return isCtlError(error) ? `${error.code} ${error.reason}` : String(error);
  }
}
