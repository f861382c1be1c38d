import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A client as its makers ship it, and the program of calls/ that drives it. */
export interface Client {
  readonly name: string;
  readonly version: string;
  readonly program: string;
  readonly args: readonly string[];
}

const CALLS = join(import.meta.dirname, "calls");
const NEEDED = "sh deploy/scripts/clients.sh installs it";

/** Every client of this machine: those that set-up installs must be there, others are taken where they are. */
export function installedClients(): Client[] {
  const commands = ["/usr/bin/docker", "/usr/local/bin/docker"].filter((path) => existsSync(path));
  return [
    ...commands.map((path) => node(`docker command ${firstVersion(path, "--version")}`, "docker_cli.mjs", path)),
    ...composeCommands(commands),
    npmClient("dockerode"),
    npmClient("testcontainers"),
    npmClient("@devcontainers/cli", "devcontainers.mjs"),
    pythonDocker(),
  ];
}

function node(title: string, script: string, ...args: string[]): Client {
  const [, name = title, version = ""] = /^(.*) (\S+)$/.exec(title) ?? [];
  return { name, version, program: process.execPath, args: [join(CALLS, script), ...args] };
}

function npmClient(name: string, script = `${name}.mjs`): Client {
  const manifest = join(import.meta.dirname, "node_modules", name, "package.json");
  if (!existsSync(manifest)) throw new Error(`there is no ${name}: ${NEEDED}`);
  return node(`${name} ${JSON.parse(readFileSync(manifest, "utf8")).version}`, script);
}

function composeCommands(dockers: readonly string[]): Client[] {
  const standalone = existsSync("/usr/bin/docker-compose") ? [["/usr/bin/docker-compose"]] : [];
  const plugins = dockers.filter((docker) => hasCompose(docker)).map((docker) => [docker, "compose"]);
  const found = [...standalone, ...plugins];
  if (found.length === 0) throw new Error(`there is no docker-compose: ${NEEDED}`);
  return found.map(([program = "", ...args]) =>
    node(
      `${args.length === 0 ? "docker-compose" : "docker compose"} ${firstVersion(program, ...args, "version")}`,
      "compose.mjs",
      program,
      ...args,
    ),
  );
}

function hasCompose(docker: string): boolean {
  try {
    execFileSync(docker, ["compose", "version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function pythonDocker(): Client {
  const python = "/usr/bin/python3";
  const version = execFileSync(python, ["-c", "import docker; print(docker.__version__)"], { encoding: "utf8" }).trim();
  return { name: "python3-docker", version, program: python, args: [join(CALLS, "python_docker.py")] };
}

function firstVersion(program: string, ...args: string[]): string {
  return /\d+\.\d+[^\s,]*/.exec(execFileSync(program, args, { encoding: "utf8" }))?.[0] ?? "";
}
