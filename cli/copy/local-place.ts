import { lstat, readlink, realpath, stat } from "node:fs/promises";
import { dirname, posix, resolve } from "node:path";
import { CtlError } from "../../services/kit/errors.ts";
import { type Destination, refused, type Source, splitEntry } from "./place.ts";

const MAX_LINKS = 10;

/** The same path from `/`, with what its end says: `/` or `/.`. */
export function absolute(path: string): string {
  const ending = /(^|\/)\.$/.test(path) ? "/." : path.endsWith("/") ? "/" : "";
  const whole = resolve(path);
  return whole === "/" && ending === "/" ? "/" : `${whole}${ending}`;
}

/** What is to be copied. Symlinks above it are followed, the last one with `followLink`; it keeps the name that was given. */
export async function localSource(
  path: string,
  followLink: boolean,
): Promise<Source & { readonly real: string; readonly name: string }> {
  const { directory, base } = splitEntry(path);
  try {
    const real =
      followLink || path.endsWith("/") || base === "."
        ? await realpath(path)
        : posix.join(await realpath(directory), base);
    const found = await lstat(real);
    if (path.endsWith("/") && !found.isDirectory()) throw unreadable(path, "not a directory");
    return { path, real, name: base, isDirectory: found.isDirectory() };
  } catch (error) {
    if (error instanceof CtlError) throw error;
    throw unreadable(path, reasonOf(error), error);
  }
}

/** Where it is to go: a symlink at its end is followed, and its parent must be there. */
export async function localDestination(source: string, path: string): Promise<Destination> {
  let place = path;
  for (let links = 0; ; links++) {
    if (links > MAX_LINKS) throw refused(source, path, "too many symlinks");
    const found = await lstat(place).catch(() => undefined);
    if (found === undefined) break;
    if (!found.isSymbolicLink()) return { path: place, exists: true, isDirectory: found.isDirectory() };
    place = resolve(dirname(place), await readlink(place));
  }
  const { directory } = splitEntry(place);
  const parent = await stat(directory).catch(() => undefined);
  if (parent === undefined) throw refused(source, path, `invalid output path: directory "${directory}" does not exist`);
  if (!parent.isDirectory()) throw refused(source, path, "not a directory");
  return { path: place, exists: false, isDirectory: false };
}

function unreadable(path: string, why: string, cause?: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COPY_SOURCE_UNREADABLE",
    what: `copy "${path}"`,
    why,
    fix: "look whether the path is right",
    cause,
  });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "no such file or directory";
  if (code === "ENOTDIR") return "not a directory";
  return code === "EACCES" ? "permission denied" : String(error);
}
