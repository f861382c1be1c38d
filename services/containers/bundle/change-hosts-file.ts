import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** More than that is not a file of names, whoever in the container wrote it: it is left alone. */
const MAX_BYTES = 1 << 20;

/**
 * Lines of a running container's /etc/hosts, in place: the container has this very file mounted, so another one in its place
 * would not be seen. What it wrote itself stays. Lines that are there, or are not, are no error. Only a regular file is
 * opened, which nothing in the container can put another in the place of.
 */
export async function changeHostsFile(
  path: string,
  { add, remove }: { readonly add: readonly string[]; readonly remove: readonly string[] },
): Promise<void> {
  await using file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  const { size } = await file.stat();
  if (size > MAX_BYTES) return;
  const before = await file.readFile("utf8");
  const kept = before.split("\n").filter((line) => !remove.includes(line));
  const missing = add.filter((line) => !kept.includes(line));
  const end = kept.at(-1) === "" ? kept.slice(0, -1) : kept;
  const after = [...end, ...missing, ""].join("\n");
  if (after === before) return;
  // longer or as long first, then cut: who reads meanwhile never sees nothing
  await file.write(Buffer.from(after), 0, null, 0);
  await file.truncate(Buffer.byteLength(after));
}
