import { readFile } from "node:fs/promises";
import { backoffMs } from "../../../services/kit/backoff.ts";
import { runCommand } from "../../../services/kit/command.ts";
import { sleep, within } from "../../../services/kit/deadlines.ts";
import { CtlError } from "../../../services/kit/errors.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The system user of this name, made when it is missing: Postgres refuses to run as root. Idempotent.
 * Throws FAILED_PRECONDITION USER_NOT_MADE.
 */
export async function ensureUser(name: string, signal: AbortSignal): Promise<User> {
  const found = await findUser(name);
  if (found !== undefined) return found;
  const patience = within(signal, 10_000, `make the user ${name}`);
  for (let attempt = 0; ; attempt++) {
    const made = await runCommand("useradd", [...SYSTEM_USER, name], { signal: patience });
    const user = await findUser(name);
    if (user !== undefined) return user;
    // exit code 1: somebody else holds the lock of /etc/passwd (useradd(8))
    if (made.exitCode !== 1) throw notMade(name, made.stderr);
    await sleep(backoffMs(attempt, 50, 1_000), patience);
  }
}

const SYSTEM_USER = [
  "--system",
  "--user-group",
  "--no-create-home",
  "--home-dir",
  "/nonexistent",
  "--shell",
  "/usr/sbin/nologin",
];

async function findUser(name: string): Promise<User | undefined> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const fields = lines.find(([first]) => first === name);
  return fields === undefined ? undefined : { name, uid: Number(fields[2]), gid: Number(fields[3]) };
}

function notMade(name: string, stderr: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "USER_NOT_MADE",
    what: `make the system user ${name}`,
    why: stderr.trim() || "useradd failed",
    fix: `make it by hand: useradd --system ${name}`,
  });
}
