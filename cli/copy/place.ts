import { posix } from "node:path";
import { CtlError } from "../../services/kit/errors.ts";

/** One side of a copy: a path on this machine, or in a container. */
export type Place =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "container"; readonly ref: string; readonly path: string };

/** `CONTAINER:PATH` or a path: one that has a colon in it begins with `/` or `.`. */
export function parsePlace(text: string): Place {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { kind: "local", path: text };
  return { kind: "container", ref: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** A destination as far as the rules for copies ask. */
export interface Destination {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

export interface Source {
  readonly path: string;
  readonly isDirectory: boolean;
}

/** Where an archive is to be unpacked, and what its first name becomes there. */
export interface Plan {
  readonly directory: string;
  /** The name that the archive's entries begin with. */
  readonly from: string;
  readonly to: string;
}

/**
 * Docker's rules: into a directory that exists goes the source under its own name (or what is in it, where its path ends
 * in `/.`); else it gets the destination's name, whose parent must exist. Throws FAILED_PRECONDITION COPY_REFUSED.
 */
export function planCopy(source: Source, destination: Destination): Plan {
  const from = splitEntry(source.path).base;
  const { directory, base } = splitEntry(destination.path);
  if (destination.isDirectory) return { directory: destination.path, from, to: from };
  if (destination.exists && source.isDirectory) throw refused(source.path, destination.path, "cannot copy directory");
  if (!destination.exists && !source.isDirectory && /(^|\/)\.?$/.test(destination.path)) {
    throw refused(source.path, destination.path, "no such directory");
  }
  return { directory, from, to: base };
}

/** A path's directory and last name; a `/.` at its end is a name, the one of the directory itself. */
export function splitEntry(path: string): { readonly directory: string; readonly base: string } {
  const clean = posix.normalize(path).replace(/(?!^)\/+$/, "");
  if (/(^|\/)\.$/.test(path)) return { directory: clean, base: "." };
  return { directory: posix.dirname(clean), base: clean === "/" ? "/" : posix.basename(clean) };
}

/** An entry's name with the plan's first name in place of its own. */
export function renamed(name: string, { from, to }: Plan): string {
  if (from === to) return name;
  const prefix = from === "/" ? "" : from;
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return name;
  return `${to}${name.slice(prefix.length)}`;
}

export function refused(source: string, destination: string, why: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COPY_REFUSED",
    what: `copy "${source}" to "${destination}"`,
    why,
    fix: "see ctl cp --help",
  });
}
