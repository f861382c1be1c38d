import { descriptorPath, type FileCalls, NO_DEVICE, S_IFCHR } from "../../kit/linux/file-calls.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";

/**
 * Where overlayfs looks for its marks: `trusted` as root, `user` for mounts with the option userxattr. See the kernel's
 * Documentation/filesystems/overlayfs.rst.
 */
export type XattrFormat = "trusted" | "user";

/** What an entry's name means in OCI image-spec layer.md, "Whiteouts". */
export type WhiteoutName =
  | { readonly kind: "none" }
  | { readonly kind: "opaque" }
  | { readonly kind: "whiteout"; readonly name: BytePath }
  /** AUFS kept its own files under `.wh..wh.`; they mean nothing here. */
  | { readonly kind: "ignored" };

const NONE: WhiteoutName = { kind: "none" };
const PREFIX = ".wh.";

export function whiteoutName(name: BytePath): WhiteoutName {
  if (!name.startsWith(PREFIX)) return NONE;
  if (name === ".wh..wh..opq") return { kind: "opaque" };
  if (name.startsWith(".wh..wh.")) return { kind: "ignored" };
  const hidden = name.slice(PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw corrupt(`its entry "${displayPath(name)}" hides no name`);
  }
  return { kind: "whiteout", name: hidden };
}

/** Overlayfs's whiteout: a character device 0/0. Throws SyscallError EEXIST. */
export function makeWhiteout(calls: FileCalls, directory: number, name: BytePath): void {
  calls.makeNode(directory, name, S_IFCHR, NO_DEVICE);
}

/** Hides what lower layers have in this directory. `path` "" is `directory` itself. */
export function setOpaque(calls: FileCalls, directory: number, path: BytePath, format: XattrFormat): void {
  const place = path === "" ? descriptorPath(directory, ".") : descriptorPath(directory, path);
  calls.setXattrAt(place, `${overlayPrefix(format)}opaque`, Buffer.from("y"));
}

/** Marks that an image may not set itself: a redirect would show it another directory of a lower layer. */
export function isOverlayXattr(name: BytePath): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
}

export function overlayPrefix(format: XattrFormat): string {
  return `${format}.overlay.`;
}
