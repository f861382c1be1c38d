import { CtlError } from "../../kit/errors.ts";
import type { OciUser } from "./oci-config.ts";
import type { RootFiles } from "./root-files.ts";

const HIGHEST_ID = 2 ** 31 - 1;

export interface ResolvedUser extends OciUser {
  readonly additionalGids: readonly number[];
  readonly home: string;
}

interface PasswdLine {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupLine {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * `name|uid[:group|gid]` by the container's own /etc/passwd and /etc/group; empty is root. A number needs no line
 * there (its group is then 0), a name does. Without a group the user's own and all that list him are his; with one,
 * only that one. `groups` (`--group-add`) come on top.
 * Throws INVALID_ARGUMENT USER_UNKNOWN, GROUP_UNKNOWN.
 */
export async function resolveUser(text: string, groups: readonly string[], files: RootFiles): Promise<ResolvedUser> {
  const [userText = "", groupText] = splitOnce(text);
  const passwd = parsePasswd(await files.read("/etc/passwd"));
  const needsGroups = userText !== "" || groupText !== undefined || groups.length > 0;
  const groupLines = needsGroups ? parseGroup(await files.read("/etc/group")) : [];
  const user = findUser(userText === "" ? "0" : userText, passwd);
  const group = groupText === undefined ? undefined : findGroup(groupText, groupLines);
  const memberships = group === undefined ? groupLines.filter((one) => isMember(one, user)).map((one) => one.gid) : [];
  const added = groups.map((one) => findGroup(one, groupLines));
  const gid = group ?? user.gid;
  // the main group also among the others: else a setgid program could shed what a file's mode denies to that group
  return { uid: user.uid, gid, additionalGids: [...new Set([gid, ...memberships, ...added])], home: user.home };
}

function splitOnce(text: string): [string, string | undefined] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1) || undefined];
}

function findUser(text: string, passwd: readonly PasswdLine[]): PasswdLine {
  const uid = numericId(text);
  const line = passwd.find((one) => one.name === text || one.uid === uid);
  if (line !== undefined) return line;
  if (uid !== undefined) return { name: "", uid, gid: 0, home: "/" };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "USER_UNKNOWN",
    what: `run the command as user "${text}"`,
    why: "the image's /etc/passwd has no such user",
    fix: "use a user of the image, or a number",
  });
}

function findGroup(text: string, groups: readonly GroupLine[]): number {
  const gid = numericId(text);
  const line = groups.find((one) => one.name === text || one.gid === gid);
  if (line !== undefined) return line.gid;
  if (gid !== undefined) return gid;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "GROUP_UNKNOWN",
    what: `run the command with group "${text}"`,
    why: "the image's /etc/group has no such group",
    fix: "use a group of the image, or a number",
  });
}

function isMember(group: GroupLine, user: PasswdLine): boolean {
  return user.name !== "" && group.members.includes(user.name);
}

function numericId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= HIGHEST_ID ? id : undefined;
}

/** See passwd(5). A line that is not one is skipped, as libc does: images hold all kinds. */
function parsePasswd(text: string): PasswdLine[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.split(":");
    const uid = numericId(uidText);
    const gid = numericId(gidText);
    return name === "" || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home: home || "/" }];
  });
}

/** See group(5). */
function parseGroup(text: string): GroupLine[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gidText = "", members = ""] = line.split(":");
    const gid = numericId(gidText);
    return name === "" || gid === undefined ? [] : [{ name, gid, members: members.split(",") }];
  });
}
