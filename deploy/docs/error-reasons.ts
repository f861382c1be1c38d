import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

export interface ErrorReason {
  readonly reason: string;
  /** gRPC's names; more than one where places differ. */
  readonly codes: readonly string[];
  /** The top folder of those who raise it: `services/images`, `gateway`. */
  readonly area: string;
  /** What people are told, `…` standing for what differs from case to case. */
  readonly why: string;
  readonly fix: string;
}

const AREAS = ["services/kit", "services/images", "services/containers", "services/networks", "services/volumes"];
const FOLDERS = [...AREAS, "gateway", "cli"];
const REASON = /\breason: "([A-Z][A-Z0-9_]*)"/g;
const CODE =
  /"(CANCELLED|INVALID_ARGUMENT|DEADLINE_EXCEEDED|NOT_FOUND|ALREADY_EXISTS|PERMISSION_DENIED|RESOURCE_EXHAUSTED|FAILED_PRECONDITION|ABORTED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS|UNAUTHENTICATED)"/g;
/** An error's facts are a few lines; the code stands right before them. */
const BEFORE = 300;
const AFTER = 900;

/** Every reason that the source names, in the order of the areas and the alphabet. */
export async function errorReasons(source: string): Promise<ErrorReason[]> {
  const found = new Map<string, ErrorReason>();
  for (const area of FOLDERS) {
    for (const path of await sources(join(source, area))) {
      for (const one of reasonsIn(await readFile(path, "utf8"), area))
        found.set(one.reason, merged(found.get(one.reason), one));
    }
  }
  return [...found.values()].sort(
    (a, b) => FOLDERS.indexOf(a.area) - FOLDERS.indexOf(b.area) || a.reason.localeCompare(b.reason, "en"),
  );
}

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => relative(folder, a).localeCompare(relative(folder, b), "en"));
}

function reasonsIn(text: string, area: string): ErrorReason[] {
  return [...text.matchAll(REASON)].map((match) => {
    const before = text.slice(Math.max(0, match.index - BEFORE), match.index);
    const codes = [...before.matchAll(CODE)].map(([, code]) => code ?? "").slice(-1);
    const fields = fieldsFrom(text.slice(match.index, match.index + AFTER));
    const facts = (name: string) => textsIn(fields.find((field) => field.startsWith(`${name}:`)) ?? "");
    return { reason: match[1] ?? "", codes, area, why: facts("why"), fix: facts("fix") };
  });
}

/** The rest of an object literal as its fields, up to the brace that closes it. */
function fieldsFrom(text: string): string[] {
  const fields: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"' || character === "`") at = endOfText(text, at);
    else if ("{([".includes(character)) depth++;
    else if ("})]".includes(character)) depth--;
    if (depth < 0 || (depth === 0 && character === ",")) {
      fields.push(text.slice(start, at).trim());
      start = at + 1;
    }
    if (depth < 0) break;
  }
  return fields;
}

/** Where the string or template that begins at `from` closes. */
function endOfText(text: string, from: number): number {
  const quote = text.charAt(from);
  for (let at = from + 1; at < text.length; at++) {
    if (text.charAt(at) === "\\") at++;
    else if (text.charAt(at) === quote) return at;
    else if (quote === "`" && text.startsWith("${", at)) at = endOfHole(text, at + 2);
  }
  return text.length;
}

/** Where the `${…}` closes whose inside begins at `from`. */
function endOfHole(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"' || character === "`") at = endOfText(text, at);
    else if (character === "{") depth++;
    else if (character === "}" && depth-- === 0) return at;
  }
  return text.length;
}

/** What a field can say: its text, or the texts that it chooses from; what is computed elsewhere has none here. */
function textsIn(field: string): string {
  const texts: string[] = [];
  for (let at = 0; at < field.length; at++) {
    if (!['"', "`"].includes(field.charAt(at))) continue;
    const end = endOfText(field, at);
    texts.push(withoutHoles(field.slice(at + 1, end)));
    at = end;
  }
  return texts.filter((text) => text.includes(" ")).join("; or: ");
}

function withoutHoles(template: string): string {
  const at = template.indexOf("${");
  if (at < 0) return template.replaceAll('\\"', '"');
  return `${template.slice(0, at)}…${withoutHoles(template.slice(endOfHole(template, at + 2) + 1))}`;
}

function merged(known: ErrorReason | undefined, next: ErrorReason): ErrorReason {
  if (known === undefined) return next;
  return {
    ...known,
    codes: [...new Set([...known.codes, ...next.codes])],
    why: known.why === "" ? next.why : known.why,
    fix: known.fix === "" ? next.fix : known.fix,
  };
}
