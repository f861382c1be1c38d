import { loadFileCalls } from "../../../../services/kit/linux/file-calls.ts";

const calls = loadFileCalls();

/** A path's own extended attributes, values as text. */
export function readXattrs(path: string): Map<string, string> {
  const xattrs = calls.listXattrs(Buffer.from(path).toString("latin1"));
  return new Map([...xattrs].map(([name, value]) => [name, value.toString("latin1")]));
}
