import { spawn } from "node:child_process";
import { chmod, chown, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import pg from "pg";
import { abortError, deadline, sleep, within } from "../../services/kit/deadlines.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { type Binaries, isProgramOf, PLAIN_ENVIRONMENT, usableBinaries } from "./postgres/binaries.ts";
import { configureCluster, DATABASE, ensureCluster, SUPERUSER } from "./postgres/cluster.ts";
import { clearRemains, findPostmaster, type Postmaster, untilEnded } from "./postgres/processes.ts";
import { ensureUser, type User } from "./postgres/user.ts";
import { identityOf, isAlive, signalProcess } from "./process.ts";

export interface PostgresOptions {
  /** Made when missing; its parent directories must let anybody through (0711). */
  readonly dataDirectory: string;
  /** Made when missing, 0700; its socket's path must stay below 108 bytes. */
  readonly socketDirectory: string;
  /** The system user that it runs as, made when missing. */
  readonly user: string;
  /** The directory with bin, lib and share. */
  readonly binaries: string;
  /** What the server says is appended here; kept as `….1` beyond 8 MB, looked at on each start. */
  readonly log: string;
}

export interface Postgres {
  /** The superuser's, for `pg`; a service's role goes in place of the user. */
  readonly url: string;
  readonly pid: number;
  /** It ran before we came. */
  readonly adopted: boolean;
  /** It runs another program than the one asked for: stop it and start again when that suits. */
  readonly isOutdated: boolean;
  /** Resolves when the server has ended, whoever ended it. */
  ended(signal: AbortSignal): Promise<void>;
  /** Fast shutdown (connections are cut, nothing is lost); immediate when the signal aborts first. Idempotent. */
  stop(signal: AbortSignal): Promise<void>;
}

/**
 * The embedded Postgres, running and reachable: adopted if it runs already, else started on its data directory, which
 * is made when missing. It has a session of its own and outlives this process.
 * 1 s the first time, 0.1 s later, 10 ms when adopted.
 * Throws FAILED_PRECONDITION (POSTGRES_MAJOR_DIFFERS, POSTGRES_BINARIES_UNUSABLE, USER_NOT_MADE, SOCKET_PATH_TOO_LONG),
 * UNAVAILABLE POSTGRES_NOT_READY with the end of its log; never two servers on one directory.
 */
export async function startPostgres(options: PostgresOptions, signal: AbortSignal): Promise<Postgres> {
  const socket = socketOf(options);
  if (Buffer.byteLength(socket) > 107) throw socketPathTooLong(socket);
  const running = await findPostmaster(options.dataDirectory);
  if (running !== undefined) {
    const adopted = await adopt(running, options, signal);
    if (adopted !== undefined) return adopted;
  }
  return await startServer(options, signal);
}

async function adopt(
  running: Postmaster,
  options: PostgresOptions,
  signal: AbortSignal,
): Promise<Postgres | undefined> {
  const isOutdated = !(await isProgramOf(running.program, options.binaries, copyDirectory(options), signal));
  const server = handle(running, options, { adopted: true, isOutdated });
  const hasSocket = await stat(socketOf(options)).catch(() => undefined);
  if (running.socketDirectory === options.socketDirectory && (hasSocket !== undefined || !running.isReady)) {
    try {
      await untilReady(running, options, within(signal, 10_000, "reach the Postgres that runs already"));
      return server;
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }
  // its socket was removed (/run emptied) or lies elsewhere: nobody can reach it, so it makes way
  await server.stop(within(signal, 30_000, "stop the Postgres that nobody can reach"));
  return undefined;
}

async function startServer(options: PostgresOptions, signal: AbortSignal): Promise<Postgres> {
  const user = await ensureUser(options.user, signal);
  await mkdir(dirname(options.dataDirectory), { recursive: true, mode: 0o711 });
  const binaries = await usableBinaries(options.binaries, copyDirectory(options), user, signal);
  await ensureCluster(options.dataDirectory, binaries, user, signal);
  await clearRemains(options.dataDirectory, signal);
  await configureCluster(options.dataDirectory, options.socketDirectory, user);
  await mkdir(options.socketDirectory, { recursive: true, mode: 0o700 });
  await chown(options.socketDirectory, user.uid, user.gid);
  await chmod(options.socketDirectory, 0o700);
  const started = await spawnServer(binaries, options, user);
  try {
    await untilReady(started, options, within(signal, 60_000, "wait for Postgres to start"));
    await ensureDatabase(options);
  } catch (error) {
    await handle(started, options, { adopted: false, isOutdated: false }).stop(deadline(10_000, "stop Postgres"));
    throw error;
  }
  return handle(started, options, { adopted: false, isOutdated: false });
}

async function spawnServer(binaries: Binaries, options: PostgresOptions, user: User): Promise<Postmaster> {
  await using log = await openLog(options.log);
  const child = spawn(binaries.postgres, ["-D", options.dataDirectory], {
    cwd: "/",
    env: PLAIN_ENVIRONMENT,
    uid: user.uid,
    gid: user.gid,
    detached: true, // a session of its own: it outlives us, and our terminal's signals are not for it
    stdio: ["ignore", log.fd, log.fd],
  });
  const spawned = Promise.withResolvers<void>();
  child.once("error", spawned.reject);
  child.once("spawn", spawned.resolve);
  await spawned.promise;
  child.unref();
  const process = identityOf(child.pid ?? 0);
  if (process === undefined) throw await notReady(options, "it ended at once");
  return { ...process, socketDirectory: options.socketDirectory, isReady: false, program: binaries.postgres };
}

async function openLog(path: string) {
  await mkdir(dirname(path), { recursive: true, mode: 0o711 });
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 8 << 20) await rename(path, `${path}.1`);
  return await open(path, "a", 0o640);
}

/** Connects until it is let in: a server that starts refuses (57P03) or has no socket yet. */
async function untilReady(server: Postmaster, options: PostgresOptions, signal: AbortSignal): Promise<void> {
  while (true) {
    try {
      return await query(options, "postgres", "select 1").then(() => undefined);
    } catch (error) {
      if (signal.aborted) throw await notReady(options, abortError(signal, "start Postgres").why, error);
      if (!isAlive(server)) throw await notReady(options, "it ended while it was starting", error);
      await sleep(10, signal).catch(() => {}); // the next turn says what the deadline was for
    }
  }
}

async function ensureDatabase(options: PostgresOptions): Promise<void> {
  const found = await query(options, "postgres", `select 1 from pg_database where datname = '${DATABASE}'`);
  if (found.rowCount === 0) await query(options, "postgres", `create database ${DATABASE}`);
}

async function query(options: PostgresOptions, database: string, statement: string): Promise<pg.QueryResult> {
  const client = new pg.Client({
    host: options.socketDirectory,
    port: 5432,
    user: SUPERUSER,
    database,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", () => {}); // a connection that breaks while idle; a running query rejects by itself
  try {
    await client.connect();
    return await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}

function handle(
  server: Postmaster,
  options: PostgresOptions,
  facts: { adopted: boolean; isOutdated: boolean },
): Postgres {
  return {
    url: `postgresql://${SUPERUSER}@localhost/${DATABASE}?host=${encodeURIComponent(options.socketDirectory)}`,
    pid: server.pid,
    ...facts,
    // four looks a second at /proc: it is no child of a gateway that adopted it
    ended: (signal) => untilEnded(server, 250, signal),
    stop: (signal) => stopServer(server, options, signal),
  };
}

async function stopServer(server: Postmaster, options: PostgresOptions, signal: AbortSignal): Promise<void> {
  signalProcess(server, "SIGINT");
  try {
    await untilEnded(server, 10, signal);
  } catch {
    signalProcess(server, "SIGQUIT");
    await untilEnded(server, 10, deadline(10_000, "stop Postgres at once")).catch(() =>
      signalProcess(server, "SIGKILL"),
    );
  }
  await clearRemains(options.dataDirectory, deadline(15_000, "wait for Postgres's processes"));
  await rm(`${socketOf(options)}.lock`, { force: true });
}

function socketOf(options: PostgresOptions): string {
  return join(options.socketDirectory, ".s.PGSQL.5432");
}

function copyDirectory(options: PostgresOptions): string {
  return `${options.dataDirectory}-binaries`;
}

function socketPathTooLong(socket: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "SOCKET_PATH_TOO_LONG",
    what: `listen on ${socket}`,
    why: "a unix socket's path has at most 107 bytes",
    fix: "choose a shorter --run directory",
  });
}

async function notReady(options: PostgresOptions, why: string, cause?: unknown): Promise<CtlError> {
  const last = await endOf(options.log);
  return new CtlError("UNAVAILABLE", {
    reason: "POSTGRES_NOT_READY",
    what: `start Postgres on ${options.dataDirectory}`,
    why: last === "" ? why : `${why}; its log ends with: ${last}`,
    fix: `read ${options.log}`,
    cause,
  });
}

async function endOf(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(600), 0, 600, Math.max(0, size - 600));
    return buffer.subarray(0, bytesRead).toString("utf8").trim().split("\n").slice(-3).join(" / ");
  } catch {
    return "";
  }
}
