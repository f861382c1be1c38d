import { chown, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { atomicWrite, syncDirectory } from "../../../services/kit/atomic-write.ts";
import { runCommand } from "../../../services/kit/command.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { asUser, type Binaries, PLAIN_ENVIRONMENT } from "./binaries.ts";
import type { User } from "./user.ts";

/** The role that owns everything, and the database that the services share, each in its schema. */
export const SUPERUSER = "ctl";
export const DATABASE = "ctl";

/**
 * A data directory for these binaries, made when there is none (0.4 s): whole or not at all, as initdb works beside it.
 * Throws FAILED_PRECONDITION POSTGRES_MAJOR_DIFFERS, INTERNAL POSTGRES_INITDB_FAILED.
 */
export async function ensureCluster(
  dataDirectory: string,
  binaries: Binaries,
  user: User,
  signal: AbortSignal,
): Promise<void> {
  const major = await readFile(join(dataDirectory, "PG_VERSION"), "utf8").catch(() => undefined);
  if (major === undefined) return makeCluster(dataDirectory, binaries, user, signal);
  if (major.trim() !== binaries.major) throw majorDiffers(dataDirectory, major.trim(), binaries);
}

async function makeCluster(dataDirectory: string, binaries: Binaries, user: User, signal: AbortSignal): Promise<void> {
  const unfinished = `${dataDirectory}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await chown(unfinished, user.uid, user.gid);
  const initdb = await runCommand("setpriv", [...asUser(user), binaries.initdb, ...INITDB, unfinished], {
    signal,
    cwd: "/",
    env: PLAIN_ENVIRONMENT,
  });
  if (initdb.exitCode !== 0) throw initdbFailed(dataDirectory, initdb.stderr);
  await rename(unfinished, dataDirectory).catch((cause) => {
    throw initdbFailed(dataDirectory, "something that is no data directory of Postgres lies there", cause);
  });
  await syncDirectory(join(dataDirectory, ".."));
}

/** Postgres's own C.UTF-8 sorts alike on every host and for ever; 4 MB segments keep a fresh directory at 31 MB. */
const INITDB = [
  `--username=${SUPERUSER}`,
  "--auth=peer",
  "--encoding=UTF8",
  "--locale=C",
  "--locale-provider=builtin",
  "--builtin-locale=C.UTF-8",
  "--wal-segsize=4",
  "--pgdata",
];

/**
 * The configuration, written whole before each start: the files are ours, a person's changes go into local.conf.
 * root (and the server's own user) may be any role: each service connects as its own, by peer authentication.
 */
export async function configureCluster(dataDirectory: string, socketDirectory: string, user: User): Promise<void> {
  const files = {
    "postgresql.conf": settings(socketDirectory),
    "pg_hba.conf": "local all all peer map=ctl\n",
    "pg_ident.conf": `ctl root all\nctl ${user.name} all\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dataDirectory, name);
    if ((await readFile(path, "utf8").catch(() => undefined)) === text) continue;
    await atomicWrite(path, text);
    await chown(path, user.uid, user.gid);
  }
}

function settings(socketDirectory: string): string {
  return `# Written by ctl at every start of its Postgres. Settings of your own: local.conf beside this file.
listen_addresses = ''
unix_socket_directories = '${socketDirectory.replaceAll("'", "''")}'
max_connections = 120

# a small server beside containers: few processes, few megabytes
shared_buffers = 16MB
temp_buffers = 1MB
work_mem = 2MB
maintenance_work_mem = 16MB
wal_buffers = 512kB
max_locks_per_transaction = 32          # two dozen tables; these two tables take 2 MB less of shared memory
max_pred_locks_per_transaction = 10
huge_pages = off
jit = off
io_method = sync                        # the default starts three workers, which wait for reads that we never make
max_worker_processes = 0
max_parallel_workers = 0
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
max_logical_replication_workers = 0
autovacuum_max_workers = 1
autovacuum_worker_slots = 2
autovacuum_vacuum_threshold = 500       # operations and events come and go in small tables
track_activities = on

# nobody replicates from it; what it said is committed survives a power cut
wal_level = minimal
max_wal_senders = 0
synchronous_commit = on
min_wal_size = 8MB
max_wal_size = 64MB
checkpoint_timeout = 15min

# a killed service's locks go at once, also when its last statement was a long one
client_connection_check_interval = 1s
deadlock_timeout = 500ms

# what a statement did wrong is told by the service that sent it
log_min_messages = log
log_checkpoints = off
log_line_prefix = '%m [%p] %q%u '
log_timezone = UTC
timezone = UTC
lc_messages = C
include_if_exists = 'local.conf'
`;
}

function majorDiffers(dataDirectory: string, found: string, binaries: Binaries): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "POSTGRES_MAJOR_DIFFERS",
    what: `start Postgres ${binaries.version} on ${dataDirectory}`,
    why: `the data there was written by Postgres ${found}, and a server reads only its own major version`,
    fix:
      `install the release of ctl that has Postgres ${found}, write a dump with pg_dumpall, move ${dataDirectory} away, ` +
      "start this release once and load the dump with psql; or name a server of your own in CTL_DATABASE_URL",
  });
}

function initdbFailed(dataDirectory: string, why: string, cause?: unknown): CtlError {
  return new CtlError("INTERNAL", {
    reason: "POSTGRES_INITDB_FAILED",
    what: `make Postgres's data directory ${dataDirectory}`,
    why: why.trim() || "initdb failed without a word",
    fix: "look whether the disk is full or read-only, and whether every parent directory can be entered by anybody (0711)",
    cause,
  });
}
