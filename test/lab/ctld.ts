import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { isAlive, signalProcess } from "../../gateway/supervisor/process.ts";
import { type CommandResult, runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { processesOf } from "./ctld-processes.ts";
import { type DetachedProcess, startDetached, tailOf } from "./detached-process.ts";
import { eventually } from "./eventually.ts";
import { clearHost } from "./leftovers.ts";
import type { Place } from "./place.ts";
import { testRun } from "./run-directory.ts";
import { type RunningProgram, startProgram } from "./running-program.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const DIST = join(import.meta.dirname, "../../dist");
export const CTL = join(DIST, "ctl");
const CTLD = join(DIST, "ctld");

export interface CtldOptions {
  /** A registry's URL: docker.io's mirror. */
  readonly mirror?: string;
  /** More of ctl.yaml. */
  readonly config?: string;
  /** More flags: `--scale=images=2`. */
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A whole daemon as it is shipped (dist/), in directories and under an instance name of its own. */
export interface Ctld extends AsyncDisposable, Place {
  readonly socket: string;
  readonly log: string;
  /** The environment in which `ctl` finds this daemon. */
  readonly env: NodeJS.ProcessEnv;
  /** Runs `ctl` to its end, whatever its exit code; 60 s at most. */
  ctl(...args: string[]): Promise<CommandResult>;
  /** The standard output of a `ctl` that must succeed, without its last newline. */
  ok(...args: string[]): Promise<string>;
  /** `ctl` as a process to look at while it runs. */
  session(...args: string[]): RunningProgram;
  /** `ctl` with this standard input. */
  withInput(stdin: string, ...args: string[]): Promise<CommandResult>;
  /** Starts the gateway (again), with more flags if given, and waits until it serves. */
  start(...args: string[]): Promise<void>;
  /** SIGTERM, and waits until gateway, services and Postgres have ended; containers go on. */
  stop(): Promise<void>;
  /** SIGKILL for every process of this role (`gateway`, a service, `postgres`); waits until they are gone. */
  kill(role: string): Promise<void>;
  /** Waits until it answers `ctl ps`: after a kill. */
  untilServing(timeoutMs?: number): Promise<void>;
}

/**
 * Starts a daemon; deploy/scripts/build.sh must have run. Disposing it removes its containers, ends it and clears the
 * host of everything that has its instance's name.
 */
export async function startCtld(options: CtldOptions = {}): Promise<Ctld> {
  if (!existsSync(CTLD)) throw new Error("dist/ctld is missing: run sh deploy/scripts/build.sh");
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("ctld"));
  const place = placeIn(directory.path);
  const config = join(directory.path, "ctl.yaml");
  await writeFile(config, configuration(options));
  await mkdir(place.run, { mode: 0o755 });
  undo.defer(() => clearHost(place));
  const daemon = daemonAt(place, config, join(directory.path, "ctld.log"), options);
  await daemon.start();
  undo.defer(() => removeContainers(daemon));
  const owned = undo.move();
  return { ...daemon, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Short: a unix socket's path has 107 bytes, an instance's name 16 letters. */
function placeIn(directory: string): Place {
  const unique = directory
    .slice(-4)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "x");
  return { root: join(directory, "root"), run: join(directory, "run"), instance: `${testRun().name}${unique}` };
}

function configuration({ mirror, config }: CtldOptions): string {
  const mirrors = mirror === undefined ? "" : `registries:\n  docker.io:\n    mirrors:\n      - url: ${mirror}\n`;
  return `group: root\n${mirrors}${config ?? ""}`;
}

function daemonAt(place: Place, config: string, log: string, options: CtldOptions): Omit<Ctld, keyof AsyncDisposable> {
  const socket = join(place.run, "ctl.sock");
  const env = { PATH: process.env["PATH"], HOME: dirname(place.root), CTL_HOST: `unix://${socket}` };
  const run = async (args: readonly string[], stdin = "") =>
    await runCommand(CTL, args, { env, stdin, signal: deadline(60_000, `run ctl ${args.join(" ")}`) });
  const flags = [`--root=${place.root}`, `--run=${place.run}`, `--instance=${place.instance}`, `--config=${config}`];
  const start = async (...args: string[]) => {
    const all = [...flags, "--allow-private-mount-namespace=true", ...(options.args ?? []), ...args];
    const daemon = await startDetached(CTLD, all, { log, env: { ...env, ...options.env } });
    await eventually(() => isServing(daemon, socket), 60_000);
  };
  const untilServing = async (timeoutMs = 15_000) => {
    await eventually(async () => (await run(["ps"])).exitCode === 0, timeoutMs);
  };
  return {
    ...place,
    socket,
    log,
    env,
    ctl: (...args) => run(args),
    ok: async (...args) => succeeded(args, await run(args)),
    session: (...args) => startProgram(CTL, args, env),
    withInput: (stdin, ...args) => run(args, stdin),
    start,
    stop: () => stopDaemon(place),
    kill: (role) => killRole(role, place),
    untilServing,
  };
}

async function isServing(daemon: DetachedProcess, socket: string): Promise<boolean> {
  if (await accepts(socket)) return true;
  if (!daemon.isRunning()) throw new Error(`ctld ended while it started:\n${await tailOf(daemon.log, 40)}`);
  return false;
}

async function accepts(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket);
  connection.once("connect", () => resolve(true));
  connection.once("error", () => resolve(false));
  const answer = await promise;
  connection.destroy();
  return answer;
}

function succeeded(args: readonly string[], { exitCode, stdout, stderr }: CommandResult): string {
  if (exitCode === 0) return stdout.replace(/\n$/, "");
  throw new Error(`ctl ${args.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
}

const DAEMON_ROLES = ["gateway", "images", "containers", "networks", "volumes", "postgres"];

async function stopDaemon(place: Place): Promise<void> {
  for (const { identity } of await processesOf("gateway", place)) signalProcess(identity, "SIGTERM");
  await eventually(async () => {
    const left = (await Promise.all(DAEMON_ROLES.map((role) => processesOf(role, place)))).flat();
    if (left.length > 0) throw new Error(`still there: ${left.map(({ command }) => command).join("; ")}`);
    return true;
  }, 60_000);
}

async function killRole(role: string, place: Place): Promise<void> {
  const victims = await processesOf(role, place);
  if (victims.length === 0) throw new Error(`no process is the ${role} of ${place.instance}`);
  for (const { identity } of victims) signalProcess(identity, "SIGKILL");
  await eventually(() => victims.every(({ identity }) => !isAlive(identity)));
}

async function removeContainers(daemon: Pick<Ctld, "ctl">): Promise<void> {
  const { stdout } = await daemon.ctl("ps", "-aq");
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await daemon.ctl("rm", "-f", ...ids);
}
