import { dirname, extname, join, normalize } from "node:path";
import { CtlError } from "../../services/kit/errors.ts";

/**
 * `new URL("./x", import.meta.url)`: how a source file names a program of its own (a worker) or a file it reads. What
 * stands in a comment is an example.
 */
const REFERENCE = /(?<!^\s*(?:\*|\/\*|\/\/).*)\bnew URL\(\s*"(\.[^"]+)"\s*,\s*import\.meta\.url\s*,?\s*\)/gm;
const UNMOVABLE = /(?<!^\s*(?:\*|\/\*|\/\/).*)\bimport\.meta\.(dirname|filename|resolve)\b/m;

export interface References {
  /** The text with every reference turned to its flat name. */
  readonly text: string;
  /** Programs (`.ts`), paths from the top of the tree. */
  readonly programs: readonly string[];
  /** Files and folders (these end in `/`) that are copied beside the programs. */
  readonly assets: readonly string[];
}

/**
 * The references of one source file. All bundles and chunks lie in one flat directory, so a name relative to any of
 * them is right in all: `new URL("./mount.worker.ts", import.meta.url)` works from source and, rewritten, from the
 * bundle. Throws INVALID_ARGUMENT BUNDLE_UNMOVABLE for what cannot be rewritten.
 */
export function rewriteReferences(text: string, file: string): References {
  const unmovable = UNMOVABLE.exec(text);
  if (unmovable !== null) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "BUNDLE_UNMOVABLE",
      what: `bundle ${file}`,
      why: `${unmovable[0]} points elsewhere once the file is part of a bundle`,
      fix: 'name the file with new URL("./name", import.meta.url), a literal',
    });
  }
  const programs: string[] = [];
  const assets: string[] = [];
  const rewritten = text.replace(REFERENCE, (_all, name: string) => {
    const target = normalize(join(dirname(file), name));
    (extname(target) === ".ts" ? programs : assets).push(target);
    return `new URL("./${flatName(target)}", import.meta.url)`;
  });
  return { text: rewritten, programs, assets };
}

/** `services/images/main.ts` → `services-images-main.js`; `services/images/migrations/` keeps its slash. */
export function flatName(path: string): string {
  const folder = path.endsWith("/");
  const name = (folder ? path.slice(0, -1) : path).replaceAll("/", "-").replace(/\.ts$/, ".js");
  return folder ? `${name}/` : name;
}
