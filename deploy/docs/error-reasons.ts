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
    const rest = text.slice(match.index, match.index + AFTER);
    const facts = rest.slice(0, rest.search(/\n\s*\}\)/) >>> 0);
    const codes = [...before.matchAll(CODE)].map(([, code]) => code ?? "").slice(-1);
    return { reason: match[1] ?? "", codes, area, why: textOf("why", facts), fix: textOf("fix", facts) };
  });
}

/** `why: "…"`, a template, or a choice between texts; what is computed elsewhere has no text here. */
function textOf(field: "why" | "fix", facts: string): string {
  const start = facts.search(new RegExp(`\\b${field}:\\s`));
  if (start < 0) return "";
  const end = facts.slice(start + 1).search(/\n\s*(?:what|why|fix|cause|reason)\b|$/);
  const texts = [...facts.slice(start, start + 1 + end).matchAll(/"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)];
  return texts
    .map(([, plain, template]) =>
      (plain ?? template ?? "").replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…").replaceAll('\\"', '"'),
    )
    .filter((text) => text.length > 3)
    .join("; or: ");
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
