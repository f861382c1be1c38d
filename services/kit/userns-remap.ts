import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Settings } from "./config.ts";
import { CtlError } from "./errors.ts";
import type { IdRange, UserMapping } from "./linux/user-mapping.ts";

/** The user of `default`, made by ctld with its ranges where it is missing. */
export const DEFAULT_REMAP_USER = "ctlremap";

/** For each service that makes something that belongs to containers' users. */
export const usernsRemapSettings = {
  "userns-remap": {
    schema: z.string().default(""),
    help: "put containers into user namespaces: default, or USER[:GROUP] with ranges in /etc/subuid and /etc/subgid",
  },
} as const satisfies Settings;

export interface SubordinateFiles {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

/** Undefined: containers' users are the host's. Throws FAILED_PRECONDITION USERNS_REMAP_REFUSED. */
export async function userMappingOf(setting: string): Promise<UserMapping | undefined> {
  if (setting === "") return undefined;
  const [passwd, group, subuid, subgid] = await Promise.all(
    ["passwd", "group", "subuid", "subgid"].map((name) => readFile(`/etc/${name}`, "utf8").catch(() => "")),
  );
  return parseUserMapping(setting, {
    passwd: passwd ?? "",
    group: group ?? "",
    subuid: subuid ?? "",
    subgid: subgid ?? "",
  });
}

/**
 * The mapping that a setting and the host's files say: all ranges of the user, one behind the other, as ids from 0 on. A
 * name or a number names the user; the group is the user's of the same name where none is named, see subuid(5).
 * Throws FAILED_PRECONDITION USERNS_REMAP_REFUSED.
 */
export function parseUserMapping(setting: string, files: SubordinateFiles): UserMapping {
  const [asked = "", askedGroup, ...more] = setting === "default" ? [DEFAULT_REMAP_USER] : setting.split(":");
  if (asked === "" || askedGroup === "" || more.length > 0) {
    throw refused(setting, "it is neither default nor USER[:GROUP]", "write it like default, dockremap or 1000:1000");
  }
  const user = find(files.passwd, asked);
  if (user === undefined) {
    throw refused(setting, `the host has no user ${asked}`, `make it (useradd --system ${asked}), or name another`);
  }
  const group = askedGroup === undefined ? user : find(files.group, askedGroup);
  if (group === undefined) {
    throw refused(
      setting,
      `the host has no group ${askedGroup}`,
      `make it (groupadd --system ${askedGroup}), or name another`,
    );
  }
  return {
    uids: rangesOf(setting, "/etc/subuid", files.subuid, user),
    gids: rangesOf(setting, "/etc/subgid", files.subgid, group),
  };
}

interface Named {
  readonly name: string;
  readonly id: string;
}

/** passwd(5) and group(5) both have the name first and the number third. */
function find(text: string, nameOrId: string): Named | undefined {
  const fields = text.split("\n").map((line) => line.split(":"));
  const found = fields.find(([name]) => name === nameOrId) ?? fields.find(([, , id]) => id === nameOrId);
  const [name = "", , id = ""] = found ?? [];
  return name === "" || !/^\d+$/.test(id) ? undefined : { name, id };
}

/** The highest id that the kernel takes, and it is none itself. */
const MAX_ID = 0xffff_ffff;

function rangesOf(setting: string, path: string, text: string, { name, id }: Named): IdRange[] {
  const ranges: IdRange[] = [];
  let next = 0;
  for (const line of text.split("\n")) {
    const [owner = "", first = "", count = ""] = line.trim().split(":");
    if (owner !== name && owner !== id) continue;
    const [hostID, size] = [Number(first), Number(count)];
    if (!/^\d+$/.test(first) || !/^\d+$/.test(count) || size === 0 || hostID + size > MAX_ID) {
      throw refused(
        setting,
        `the line "${line.trim()}" of ${path} is no range`,
        "write NAME:FIRST:COUNT, as in subuid(5)",
      );
    }
    if (hostID === 0) {
      throw refused(
        setting,
        `${path} gives ${name} the host's root`,
        "begin the range at an id that nobody has, as 100000",
      );
    }
    ranges.push({ containerID: next, hostID, size });
    next += size;
  }
  if (ranges.length > 0) return ranges;
  const option = path.endsWith("uid") ? "--add-subuids" : "--add-subgids";
  throw refused(setting, `${path} has no range for ${name}`, `give it one: usermod ${option} 100000-165535 ${name}`);
}

function refused(setting: string, why: string, fix: string): CtlError {
  const what = `remap users of containers (userns-remap: ${setting})`;
  return new CtlError("FAILED_PRECONDITION", { reason: "USERNS_REMAP_REFUSED", what, why, fix });
}
