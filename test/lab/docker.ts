import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { startDetached, tailOf } from "./detached-process.ts";
import { eventually } from "./eventually.ts";
import { sweepInstance } from "./sweep.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Debian's own client: what else is called docker on this machine is not the peer. */
const DOCKER = "/usr/bin/docker";

export interface DockerPeer extends AsyncDisposable {
  /** Everything of its daemons lies below: their processes name it. */
  readonly directory: string;
  /** The path of the one that it is in; empty: the caller's. */
  readonly networkNamespace: string;
  run(...args: string[]): Promise<string>;
  /** A command line of its client. */
  contender(...args: string[]): DockerCommand;
  /** Makes an image of one gzip'd layer, with the configuration that the other side's has. */
  importImage(layerPath: string, tag: string, changes: readonly string[]): Promise<void>;
}

export interface DockerCommand {
  readonly name: "docker";
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface DockerOptions {
  /** False: in the caller's network namespace, for who needs the lab's registry, and containers without network. */
  readonly ownNetwork: boolean;
  /** Where it looks for docker.io's images first. */
  readonly mirror?: string;
}

/** Debian's dockerd with the containerd that it starts, in its own directories. */
export async function startDocker({ ownNetwork, mirror }: DockerOptions = { ownNetwork: true }): Promise<DockerPeer> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("docker"));
  const name = `dockerpeer${randomBytes(2).toString("hex")}`;
  const netns = ownNetwork ? undo.use(await networkNamespace(name)).path : "";
  const enter = ownNetwork ? [`--net=${netns}`] : [];
  const host = `unix://${directory.path}/docker.sock`;
  const flags = [
    `--data-root=${directory.path}/data`,
    `--exec-root=${directory.path}/exec`,
    `--pidfile=${directory.path}/pid`,
    `--host=${host}`,
    `--cgroup-parent=/${name}`,
    `--config-file=${directory.path}/daemon.json`,
    ...(ownNetwork ? [] : ["--bridge=none", "--iptables=false"]),
    ...(mirror === undefined ? [] : [`--registry-mirror=${mirror}`]),
  ];
  await writeFile(join(directory.path, "daemon.json"), "{}\n"); // not the one that this machine may have in /etc
  undo.defer(() => sweepInstance(name, directory.path));
  // nsenter, not `ip netns exec`: that one mounts /sys anew and hides the cgroups
  const log = join(directory.path, "log");
  const daemon = await startDetached("nsenter", [...enter, "--", "dockerd", ...flags], { log });
  undo.defer(async () => {
    daemon.signal("SIGTERM");
    await daemon.ended(30_000).catch(() => daemon.signal("SIGKILL"));
  });
  const env = { PATH: process.env["PATH"], HOME: directory.path, DOCKER_HOST: host };
  const run = async (...args: string[]) => {
    const result = await runCommand(DOCKER, args, { env, signal: deadline(120_000, `docker ${args.join(" ")}`) });
    if (result.exitCode !== 0) throw new Error(`docker ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  await eventually(() => run("version").then(() => true), 60_000).catch(async (cause) => {
    throw new Error(`dockerd does not answer; it said: ${await tailOf(log)}`, { cause });
  });
  const owned = undo.move();
  return {
    directory: directory.path,
    networkNamespace: netns,
    run,
    contender: (...args) => ({ name: "docker", program: DOCKER, args, env }),
    importImage: async (layer, tag, changes) => {
      await run("import", ...changes.flatMap((change) => ["--change", change]), layer, tag);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function networkNamespace(name: string): Promise<AsyncDisposable & { readonly path: string }> {
  const signal = () => deadline(10_000, "make a network namespace");
  const made = await runCommand("ip", ["netns", "add", name], { signal: signal() });
  if (made.exitCode !== 0) throw new Error(`ip netns add: ${made.stderr}`);
  await runCommand("ip", ["-n", name, "link", "set", "lo", "up"], { signal: signal() });
  return {
    path: `/run/netns/${name}`,
    [Symbol.asyncDispose]: async () => {
      await runCommand("ip", ["netns", "del", name], { signal: signal() });
    },
  };
}
