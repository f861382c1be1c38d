import { isMap, isSeq, parseDocument, type YAMLMap, YAMLSeq } from "yaml";

const REGISTRY = "docker.io";
const NOTE = " the lab registry of deploy/lab-registry";

/**
 * ctl.yaml with `url` as docker.io's first mirror. Everything else, comments too, stays as it is; the lab's own entry of
 * an earlier port is replaced. The same text when nothing is to change. Throws for a file that is not a YAML mapping.
 */
export function withMirror(text: string, url: string): string {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  if (document.contents !== null && !isMap(document.contents)) throw new Error("ctl.yaml is not a mapping of keys");
  const path = ["registries", REGISTRY, "mirrors"];
  const existing = document.getIn(path);
  const mirrors: YAMLSeq = isSeq(existing) ? existing : new YAMLSeq();
  const ours = mirrors.items.filter((item) => isMap(item) && isLabEntry(item));
  if (ours.some((item) => isMap(item) && item.get("url") === url)) return text;
  const entry = document.createNode({ url, insecure: true }) as YAMLMap;
  entry.flow = true;
  entry.comment = NOTE;
  mirrors.items = [entry, ...mirrors.items.filter((item) => !ours.includes(item))];
  document.setIn(path, mirrors);
  return document.toString();
}

/** Known by its comment, or, where somebody tidied that away, by being an insecure mirror on loopback from port 5000 on. */
function isLabEntry(item: YAMLMap): boolean {
  if (item.comment === NOTE) return true;
  return item.get("insecure") === true && /^http:\/\/127\.0\.0\.1:50[0-4]\d$/.test(String(item.get("url")));
}
