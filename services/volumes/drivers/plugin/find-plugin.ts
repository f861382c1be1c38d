import { existsSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { CtlError } from "../../../kit/errors.ts";

const SOCKETS = "/run/docker/plugins";
const SPECIFICATIONS = ["/etc/docker/plugins", "/usr/lib/docker/plugins"];
const MAX_BYTES = 64 << 10;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,126}$/;

/** A file name, so that a driver's name leads to nothing but a plugin. */
export function isPluginName(name: string): boolean {
  return NAME.test(name);
}

/**
 * The plugin's unix socket, where Docker looks for it: NAME.sock (also in a directory of its own), NAME.spec, NAME.json.
 * Throws NOT_FOUND VOLUME_DRIVER_NOT_FOUND, UNIMPLEMENTED VOLUME_PLUGIN_ADDRESS.
 */
export function findPlugin(name: string): string {
  const sockets = [join(SOCKETS, `${name}.sock`), join(SOCKETS, name, `${name}.sock`)];
  const socket = sockets.find((path) => existsSync(path));
  if (socket !== undefined) return socket;
  for (const directory of SPECIFICATIONS) {
    const spec = readIfThere(join(directory, `${name}.spec`));
    if (spec !== undefined) return socketOf(spec.trim(), name);
    const json = readIfThere(join(directory, `${name}.json`));
    if (json !== undefined) return socketOf(addressIn(json), name);
  }
  throw new CtlError("NOT_FOUND", {
    reason: "VOLUME_DRIVER_NOT_FOUND",
    what: `use the volume driver "${name}"`,
    why: "there is no such driver here",
    fix: `use local, or start the plugin: its socket is looked for in ${SOCKETS}`,
  });
}

function readIfThere(path: string): string | undefined {
  if (!existsSync(path) || statSync(path).size > MAX_BYTES) return undefined;
  return readFileSync(path, "utf8");
}

function addressIn(json: string): string {
  try {
    const read: unknown = JSON.parse(json);
    return typeof read === "object" && read !== null && "Addr" in read && typeof read.Addr === "string"
      ? read.Addr
      : "";
  } catch {
    return "";
  }
}

function socketOf(address: string, name: string): string {
  const path = address.startsWith("unix://") ? address.slice("unix://".length) : "";
  if (isAbsolute(path)) return path;
  throw new CtlError("UNIMPLEMENTED", {
    reason: "VOLUME_PLUGIN_ADDRESS",
    what: `use the volume driver "${name}"`,
    why: `its address "${address.slice(0, 200)}" is not unix:///PATH`,
    fix: "let the plugin listen on a unix socket",
  });
}
