import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { atomicWrite } from "../../services/kit/atomic-write.ts";
import { withMirror } from "./mirror.ts";

// node use-mirror.ts FILE URL: makes URL docker.io's first mirror in ctl.yaml and prints `changed` or `unchanged`
const [file, url] = process.argv.slice(2);
if (file === undefined || url === undefined) throw new Error("usage: node use-mirror.ts FILE URL");
const before = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
  if (error.code === "ENOENT") return "";
  throw error;
});
const after = withMirror(before, url);
if (after !== before) {
  await mkdir(dirname(file), { recursive: true });
  await atomicWrite(file, after, 0o644);
}
process.stdout.write(after === before ? "unchanged\n" : "changed\n");
