import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CommandResult, runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { type Command, type RunningProgram, startProgram } from "../../lab/program.ts";
import { type Engine, sharedEngine } from "../engine.ts";

/** The docker command as it is installed, against the socket of a test's daemon. */
export interface DockerCommand {
  readonly engine: Engine;
  docker(...args: string[]): Promise<CommandResult>;
  /** The standard output, without its last newline, of a command that must succeed. */
  ok(...args: string[]): Promise<string>;
  /** What a command that must fail says on its standard error; throws unless the exit code is this one. */
  fails(exitCode: number, ...args: string[]): Promise<string>;
  start(...args: string[]): RunningProgram;
  /** On a pseudo-terminal. */
  startOnTerminal(...args: string[]): RunningProgram;
  /** A script of the shell's, in which `$DOCKER` is the command. */
  startShell(script: string): RunningProgram;
  /** `inspect` as JSON, the first object. */
  inspect(...args: string[]): Promise<Record<string, unknown>>;
}

interface Client {
  readonly program: string;
  readonly name: string;
}

/** Each docker command of this machine: Debian's, which set-up installs, and another one if there is. */
function installedClients(): Client[] {
  const programs = ["/usr/local/bin/docker", "/usr/bin/docker"].filter((program) => existsSync(program));
  return programs.map((program) => ({ program, name: versionOf(program) }));
}

function versionOf(program: string): string {
  return execFileSync(program, ["--version"], { encoding: "utf8" }).trim().replace(/,.*/, "");
}

/** Runs the tests once for each docker command there is, against one daemon that has busybox. */
export function withEachClient(tests: (command: DockerCommand) => void): void {
  const clients = installedClients();
  if (clients.length === 0) throw new Error("there is no docker command: sh deploy/scripts/setup.sh test installs it");
  const engine = sharedEngine({ images: ["busybox"], env: { CTL_DOCKER_SOCKET: "/run/docker.sock" } });
  for (const client of clients) {
    describe(client.name, function () {
      this.timeout(60_000);
      tests(commandOf(client, engine));
    });
  }
}

function commandOf({ program }: Client, engine: Engine): DockerCommand {
  const env = () => ({
    PATH: process.env["PATH"],
    HOME: engine.daemon.directory,
    DOCKER_HOST: `unix://${engine.daemon.socket}`,
    DOCKER_CONFIG: join(engine.daemon.directory, "docker-config"),
  });
  const docker = (...args: string[]) =>
    runCommand(program, args, { signal: deadline(40_000, `docker ${args.join(" ")}`), env: env() });
  const ok = async (...args: string[]) => {
    const result = await docker(...args);
    if (result.exitCode !== 0) throw new Error(`docker ${args.join(" ")}: ${JSON.stringify(result)}`);
    return result.stdout.replace(/\n$/, "");
  };
  const start = (command: Command) => startProgram(command, engine.daemon.directory);
  return {
    engine,
    docker,
    ok,
    fails: async (exitCode, ...args) => {
      const result = await docker(...args);
      if (result.exitCode === exitCode) return result.stderr;
      throw new Error(
        `docker ${args.join(" ")} ended with ${result.exitCode}, not ${exitCode}: ${JSON.stringify(result)}`,
      );
    },
    start: (...args) => start({ program, args, env: env() }),
    startOnTerminal: (...args) =>
      start({ program: "script", args: ["-qefc", [program, ...args].map(quoted).join(" "), "/dev/null"], env: env() }),
    startShell: (script) => start({ program: "sh", args: ["-c", script], env: { ...env(), DOCKER: program } }),
    inspect: async (...args) => JSON.parse(await ok(...args))[0],
  };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
