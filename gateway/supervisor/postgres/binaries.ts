import { access, cp, lstat, readFile, realpath, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runCommand } from "../../../services/kit/command.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import type { User } from "./user.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** `18.4` */
  readonly version: string;
  /** `18`: what a data directory belongs to. */
  readonly major: string;
}

/**
 * The server's programs in `directory` (bin, lib, share), usable by `user`. A source tree below a home of mode 0700
 * hides them from an unprivileged user: then they are copied once to `copyDirectory` (60 MB, hard links where possible).
 * Throws FAILED_PRECONDITION POSTGRES_BINARIES_UNUSABLE.
 */
export async function usableBinaries(
  directory: string,
  copyDirectory: string,
  user: User,
  signal: AbortSignal,
): Promise<Binaries> {
  await linkLibraries(directory);
  const inPlace = await tryVersion(directory, user, signal);
  if (inPlace.version !== undefined) return binariesIn(directory, inPlace.version);
  const version = await versionAsRoot(directory, signal);
  const copy = join(copyDirectory, version);
  const copied = await tryVersion(copy, user, signal);
  if (copied.version === version) return binariesIn(copy, version);
  await copyBinaries(directory, copy, signal);
  const fresh = await tryVersion(copy, user, signal);
  if (fresh.version === undefined) throw unusable(copy, `${user.name} cannot run them: ${fresh.failure}`);
  return binariesIn(copy, fresh.version);
}

/** Whether a server that runs `program` runs what usableBinaries would choose today: in place, or this version's copy. */
export async function isProgramOf(
  program: string,
  directory: string,
  copyDirectory: string,
  signal: AbortSignal,
): Promise<boolean> {
  const inPlace = join(directory, "bin/postgres");
  if (program === (await realpath(inPlace).catch(() => inPlace))) return true;
  if (!program.startsWith(`${copyDirectory}/`)) return false;
  return program === join(copyDirectory, await versionAsRoot(directory, signal), "bin/postgres");
}

function binariesIn(directory: string, version: string): Binaries {
  const bin = join(directory, "bin");
  return {
    initdb: join(bin, "initdb"),
    postgres: join(bin, "postgres"),
    version,
    major: version.split(".")[0] ?? version,
  };
}

/** The package's install script makes these links; a client that runs no install scripts leaves them out. */
async function linkLibraries(directory: string): Promise<void> {
  const list = await readFile(join(directory, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    const path = join(directory, "..", target);
    if (await exists(path)) continue;
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw unusable(directory, `the link ${path} cannot be made`, error);
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

interface Tried {
  readonly version?: string;
  readonly failure: string;
}

async function tryVersion(directory: string, user: User, signal: AbortSignal): Promise<Tried> {
  const result = await runCommand("setpriv", [...asUser(user), join(directory, "bin/postgres"), "--version"], {
    signal,
    cwd: "/",
    env: PLAIN_ENVIRONMENT,
  });
  const version = parseVersion(result.stdout);
  return version === undefined ? { failure: result.stderr.trim() } : { version, failure: "" };
}

async function versionAsRoot(directory: string, signal: AbortSignal): Promise<string> {
  const program = join(directory, "bin/postgres");
  await access(program).catch((cause) => {
    throw unusable(directory, "there is no bin/postgres", cause);
  });
  const result = await runCommand(program, ["--version"], { signal, cwd: "/", env: PLAIN_ENVIRONMENT });
  const version = parseVersion(result.stdout);
  if (version === undefined) throw unusable(directory, result.stderr.trim());
  return version;
}

function parseVersion(output: string): string | undefined {
  return /^postgres \(PostgreSQL\) (\d+(?:\.\d+)*)/.exec(output)?.[1];
}

async function copyBinaries(from: string, to: string, signal: AbortSignal): Promise<void> {
  const next = `${to}.next`;
  await rm(next, { recursive: true, force: true });
  await runCommand("mkdir", ["-p", "-m", "755", dirname(to)], { signal });
  const linked = await runCommand("cp", ["-a", "--link", from, next], { signal });
  if (linked.exitCode !== 0) {
    await rm(next, { recursive: true, force: true });
    await cp(from, next, { recursive: true, verbatimSymlinks: true });
  }
  await rm(to, { recursive: true, force: true });
  await rename(next, to);
}

/** `setpriv` arguments before a program that is to run as the user, with no group but its own. */
export function asUser(user: User): string[] {
  return ["--reuid", `${user.uid}`, "--regid", `${user.gid}`, "--clear-groups", "--"];
}

/** Nothing of the daemon's environment reaches Postgres: no PG* variable, no locale, no credentials. */
export const PLAIN_ENVIRONMENT: NodeJS.ProcessEnv = { PATH: "/usr/bin:/bin", LANG: "C", LC_ALL: "C" };

function unusable(directory: string, why: string, cause?: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "POSTGRES_BINARIES_UNUSABLE",
    what: `use the embedded Postgres in ${directory}`,
    why,
    fix: "install the packages again (sh deploy/scripts/setup.sh), or name a server of your own in CTL_DATABASE_URL",
    cause,
  });
}
