import { CtlError } from "../../kit/errors.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";
import { type LayerLimits, tooLarge } from "./limits.ts";

const MAX_NAME_BYTES = 255;

/**
 * An entry's path as one below the layer's root: no leading slash, no ".", ".." worked off as text (that is how Docker
 * reads it); "" is the root itself. Throws LAYER_ESCAPES_ROOT, LAYER_CORRUPT, LAYER_TOO_LARGE.
 */
export function cleanPath(raw: BytePath, limits: LayerLimits): BytePath {
  const parts: BytePath[] = [];
  for (const part of raw.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw escapesRoot(raw);
  }
  const path = parts.join("/");
  checkPath(path, parts, limits);
  return path;
}

/** Holds a path whose symlinks are resolved to the same limits. */
export function checkPath(path: BytePath, parts: readonly BytePath[], limits: LayerLimits): void {
  if (path.length > limits.maxPathBytes) throw tooLarge(`a path has more than ${limits.maxPathBytes} bytes`);
  if (parts.length > limits.maxDepth) throw tooLarge(`it nests directories deeper than ${limits.maxDepth}`);
  if (path.length > MAX_NAME_BYTES && parts.some((part) => part.length > MAX_NAME_BYTES)) {
    throw corrupt(`a name in it has more than ${MAX_NAME_BYTES} bytes`);
  }
}

export function splitPath(path: BytePath): { readonly parent: BytePath; readonly name: BytePath } {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? { parent: "", name: path } : { parent: path.slice(0, slash), name: path.slice(slash + 1) };
}

export function joinPath(parent: BytePath, name: BytePath): BytePath {
  return parent === "" ? name : `${parent}/${name}`;
}

/** All directories above and including `path`, outermost first. */
export function prefixesOf(path: BytePath): BytePath[] {
  const prefixes: BytePath[] = [];
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    prefixes.push(path.slice(0, slash));
  }
  return path === "" ? [] : [...prefixes, path];
}

export function escapesRoot(path: BytePath): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LAYER_ESCAPES_ROOT",
    what: "extract the layer",
    why: `its entry "${displayPath(path)}" leads out of the image`,
    fix: "do not use this image: it tries to write to the host, or its tool is broken",
  });
}
