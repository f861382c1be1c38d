import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findPostmaster } from "../../gateway/supervisor/postgres/processes.ts";
import { identityOf, processesWith } from "../../gateway/supervisor/process.ts";
import { type CommandResult, runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { type DetachedProcess, startDetached, tailOf } from "./detached-process.ts";
import { eventually } from "./eventually.ts";
import { isServing } from "./health.ts";
import { type RunningProgram, startProgram } from "./program.ts";
import { testRun } from "./run-directory.ts";
import { sweepInstance } from "./sweep.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export type DaemonProcess = "gateway" | "postgres" | "images" | "containers" | "networks" | "volumes";

export interface DaemonOptions {
  /** ctl.yaml's content. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** `{ images: 2 }` */
  readonly scale?: Readonly<Record<string, number>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Do not start it yet. */
  readonly isStopped?: boolean;
}

/** A whole ctld with directories and a name of its own. What it made on the host goes when its block ends. */
export interface TestDaemon extends AsyncDisposable {
  readonly instance: string;
  readonly directory: string;
  readonly root: string;
  readonly run: string;
  readonly socket: string;
  /** What ctld and its services wrote. */
  readonly log: string;
  /** Starts ctld and waits until it serves; again after `stop` or `kill`. Throws with the end of its log. */
  start(): Promise<void>;
  /** `ctld stop`; resolves when it has ended. Containers go on. */
  stop(): Promise<void>;
  /** kill -9 of one process; it does not wait for what follows. */
  kill(process: DaemonProcess, replica?: number): Promise<void>;
  /** kill -9 of all of them, as far as they run. */
  killAll(): Promise<void>;
  pidOf(process: DaemonProcess, replica?: number): Promise<number | undefined>;
  /** Waits until the socket answers SERVING. */
  ready(timeoutMs?: number): Promise<void>;
  /** Runs `ctl` against it: exit code and output. 60 s at most. */
  ctl(...args: string[]): Promise<CommandResult>;
  /** `ctl` under way: for attach, `logs -f`, standard input, signals. */
  startCtl(args: readonly string[]): RunningProgram;
  /** A command line as `ctl` itself has it, for a pseudo-terminal or a second host. */
  ctlCommand(args: readonly string[]): {
    readonly program: string;
    readonly args: string[];
    readonly env: NodeJS.ProcessEnv;
  };
}

export async function testDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  await using undo = new AsyncDisposableStack();
  // short names: a container's monitor has a socket 90 bytes below the root, of 107 that a socket's path may have
  const directory = undo.use(await temporaryDirectory("d")).path;
  const instance = `${testRun().name}-${randomBytes(3).toString("hex")}`;
  const place = new Place(instance, directory, options);
  await mkdir(place.root, { mode: 0o711 });
  await writeFile(place.configFile, JSON.stringify(options.config ?? {})); // JSON is YAML
  undo.defer(() => sweepInstance(instance, directory));
  const daemon = daemonIn(place);
  undo.defer(async () => {
    await removeContainers(daemon);
    await daemon.stop();
  });
  if (options.isStopped !== true) await daemon.start();
  const owned = undo.move();
  return { ...daemon, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

class Place {
  readonly instance: string;
  readonly directory: string;
  readonly root: string;
  readonly run: string;
  readonly socket: string;
  readonly log: string;
  readonly configFile: string;
  readonly options: DaemonOptions;

  constructor(instance: string, directory: string, options: DaemonOptions) {
    this.instance = instance;
    this.directory = directory;
    this.root = join(directory, "r");
    this.run = join(directory, "run");
    this.socket = join(this.run, "ctl.sock");
    this.log = join(directory, "ctld.log");
    this.configFile = join(directory, "ctl.yaml");
    this.options = options;
  }

  get flags(): string[] {
    const { scale = {} } = this.options;
    const replicas = Object.entries(scale).map(([name, count]) => `${name}=${count}`);
    return [
      `--config=${this.configFile}`,
      `--root=${this.root}`,
      `--run=${this.run}`,
      `--instance=${this.instance}`,
      ...(replicas.length === 0 ? [] : [`--scale=${replicas.join(",")}`]),
    ];
  }

  /** Nothing of the developer's own set-up reaches the daemon or the CLI of a test. */
  get env(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(CTL|OTEL|DOCKER)_/.test(name));
    return {
      ...Object.fromEntries(inherited),
      CTL_ROOT: this.root,
      CTL_RUN: this.run,
      CTL_INSTANCE: this.instance,
      CTL_ALLOW_PRIVATE_MOUNT_NAMESPACE: "1",
      HOME: this.directory,
      ...this.options.env,
    };
  }
}

type Daemon = Omit<TestDaemon, typeof Symbol.asyncDispose>;

function daemonIn(place: Place): Daemon {
  let gateway: DetachedProcess | undefined;
  const { env, flags } = place;
  const ready = async (timeoutMs = 60_000) => {
    await eventually(async () => {
      if (await isServing(place.socket)) return true;
      if (gateway?.isRunning() === false) throw new GatewayEnded();
      return false;
    }, timeoutMs).catch(async (error: Error) => {
      throw new Error(`ctld does not serve; its log ends with\n${await tailOf(place.log)}`, { cause: error });
    });
  };
  const pidOf = (process: DaemonProcess, replica = 0) =>
    process === "gateway" ? Promise.resolve(alivePid(gateway)) : pidOfSupervised(place, process, replica);
  const kill = async (target: DaemonProcess, replica = 0) => {
    const pid = await pidOf(target, replica);
    if (pid === undefined) throw new Error(`${target} ${replica} does not run`);
    process.kill(pid, "SIGKILL");
    await eventually(() => identityOf(pid) === undefined);
  };
  const ctlCommand = (args: readonly string[]) => {
    const [program, ...before] = programOf("ctl");
    return { program, args: [...before, ...args], env };
  };
  return {
    ...{ instance: place.instance, directory: place.directory, root: place.root, run: place.run },
    ...{ socket: place.socket, log: place.log, ready, pidOf, kill, ctlCommand },
    start: async () => {
      const [program, ...args] = programOf("ctld");
      gateway = await startDetached(program, [...args, ...flags], { log: place.log, env, cwd: "/" });
      await ready();
    },
    stop: async () => {
      const [program, ...args] = programOf("ctld");
      const signal = deadline(90_000, "ctld stop");
      const result = await runCommand(program, [...args, ...flags, "stop"], { signal, env, cwd: "/" });
      if (result.exitCode !== 0) throw new Error(`ctld stop: ${result.stderr}`);
    },
    killAll: async () => {
      const found = await Promise.all(PROCESSES.map((name) => pidOf(name)));
      for (const pid of found) if (pid !== undefined) process.kill(pid, "SIGKILL");
      await eventually(() => found.every((pid) => pid === undefined || identityOf(pid) === undefined));
    },
    ctl: (...args) => {
      const command = ctlCommand(args);
      const signal = deadline(60_000, `ctl ${args.join(" ")}`);
      return runCommand(command.program, command.args, { signal, env, cwd: place.directory });
    },
    startCtl: (args) => startProgram(ctlCommand(args), place.directory),
  };
}

class GatewayEnded extends Error {
  constructor() {
    super("ctld has ended");
  }
}

const PROCESSES: readonly DaemonProcess[] = ["gateway", "images", "containers", "networks", "volumes", "postgres"];

/** What was built, when the run says so (deploy/scripts/test.sh does); else the source as it stands. */
function programOf(name: "ctl" | "ctld"): [string, ...string[]] {
  const source = join(import.meta.dirname, "../..");
  const built = join(source, "dist", name);
  if (process.env["CTL_TEST_BUILT"] === "1" && existsSync(built)) return [built];
  return [process.execPath, join(source, name === "ctl" ? "cli/main.ts" : "gateway/main.ts")];
}

function alivePid(started: DetachedProcess | undefined): number | undefined {
  return started?.isRunning() === true ? started.pid : undefined;
}

async function pidOfSupervised(place: Place, name: DaemonProcess, replica: number): Promise<number | undefined> {
  if (name === "postgres") return (await findPostmaster(join(place.root, "postgres")))?.pid;
  const [newest] = await processesWith(`--listen=unix:${place.run}/internal/${name}-${replica}.sock`);
  return newest?.identity.pid;
}

/** As far as it answers: a test that broke the daemon leaves the rest to sweepInstance. */
async function removeContainers(daemon: Daemon): Promise<void> {
  if (!(await isServing(daemon.socket))) return;
  const { stdout } = await daemon.ctl("ps", "--all", "--quiet", "--no-trunc");
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await daemon.ctl("rm", "--force", "--volumes", ...ids);
}
