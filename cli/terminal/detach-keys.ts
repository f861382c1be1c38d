import { readFileSync } from "node:fs";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../values/detach-keys.ts";

/**
 * For a process with a terminal, the keys that leave a process running: what the command line says, else `CTL_DETACH_KEYS`, else `detachKeys` in Docker's
 * own configuration (`~/.docker/config.json`, or in the directory DOCKER_CONFIG), else ctrl-p ctrl-q. Throws
 * INVALID_ARGUMENT DETACH_KEYS_INVALID.
 */
export function detachKeysOf(flag: Buffer | undefined, env: Readonly<Record<string, string | undefined>>): Buffer {
  if (flag !== undefined) return flag;
  const said = env["CTL_DETACH_KEYS"] || configuredKeys(env["DOCKER_CONFIG"] ?? `${env["HOME"]}/.docker`);
  return said === "" ? DEFAULT_DETACH_KEYS : parseDetachKeys(said);
}

/** Empty: there is no such file, or it says nothing of keys. */
function configuredKeys(directory: string): string {
  try {
    const config: unknown = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
    if (typeof config !== "object" || config === null || !("detachKeys" in config)) return "";
    return typeof config.detachKeys === "string" ? config.detachKeys : "";
  } catch {
    return ""; // Docker's CLI only warns about a broken one, and it is not ours to mend
  }
}
