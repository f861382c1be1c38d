import { readFile } from "node:fs/promises";
import { runCommand } from "../../services/kit/command.ts";
import { within } from "../../services/kit/deadlines.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { DEFAULT_REMAP_USER, userMappingOf } from "../../services/kit/userns-remap.ts";
import { ensureUser } from "./postgres/user.ts";

const FIRST_FREE = 100_000;
const RANGE = 65_536;
const MADE_WITHIN_MS = 10_000;

/**
 * What the setting userns-remap needs on this host: for `default` a system user and its ranges of subordinate ids, made
 * where they are missing, behind all ranges that are given already. Then it is read as the services will, so that a
 * mistake ends the daemon's start and not each service's. Nothing for an empty setting.
 * Throws FAILED_PRECONDITION USERNS_REMAP_REFUSED, USER_NOT_MADE.
 */
export async function readyRemap(setting: string, signal: AbortSignal): Promise<void> {
  if (setting === "default") {
    await ensureUser(DEFAULT_REMAP_USER, signal);
    await ensureRange("/etc/subuid", "--add-subuids", signal);
    await ensureRange("/etc/subgid", "--add-subgids", signal);
  }
  await userMappingOf(setting);
}

async function ensureRange(path: string, option: string, signal: AbortSignal): Promise<void> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  if (lines.some(([owner]) => owner === DEFAULT_REMAP_USER)) return;
  const ends = lines.map(([, first, count]) => Number(first) + Number(count)).filter(Number.isFinite);
  const first = Math.max(FIRST_FREE, ...ends);
  const args = [option, `${first}-${first + RANGE - 1}`, DEFAULT_REMAP_USER];
  const made = await runCommand("usermod", args, { signal: within(signal, MADE_WITHIN_MS, "add subordinate ids") });
  if (made.exitCode === 0) return;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "USERNS_REMAP_REFUSED",
    what: `give ${DEFAULT_REMAP_USER} a range in ${path} (userns-remap: default)`,
    why: made.stderr.trim() || "usermod failed",
    fix: `add it by hand: usermod ${args.join(" ")}`,
  });
}
