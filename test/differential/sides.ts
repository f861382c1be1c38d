import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type CommandResult, runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { testDaemon } from "../lab/daemon.ts";
import { startDocker } from "../lab/docker.ts";
import { type TestRegistry, testRegistry } from "../lab/registry.ts";
import { directory, file, tar } from "../lab/tar.ts";
import type { Call } from "./calls-file.ts";

/** An engine with the docker command in front of it. */
export interface Side {
  readonly name: "docker" | "ctl";
  run(call: Pick<Call, "args" | "stdin">): Promise<CommandResult>;
}

export interface Sides extends AsyncDisposable {
  readonly docker: Side;
  readonly ctl: Side;
}

/** The one that Debian's dockerd understands: both are asked by the same client in the same words. */
const CLIENT = "/usr/bin/docker";

/** Debian's dockerd and a ctld, each with the same images of the same registry. */
export async function startSides(): Promise<Sides> {
  await using undo = new AsyncDisposableStack();
  const registry = undo.use(await testRegistry());
  await pushImages(registry);
  const mirrors = { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } };
  const ctld = undo.use(await testDaemon({ config: { registries: mirrors } }));
  const peer = undo.use(await startDocker({ ownNetwork: true, mirror: registry.url }));
  undo.use(await registry.serveIn(peer.networkNamespace));
  const docker = sideOf("docker", `unix://${join(peer.directory, "docker.sock")}`, peer.directory);
  const ctl = sideOf("ctl", `unix://${ctld.socket}`, ctld.directory);
  for (const side of [docker, ctl]) await pullImages(side);
  const owned = undo.move();
  return { docker, ctl, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function sideOf(name: Side["name"], host: string, home: string): Side {
  const env = { PATH: process.env["PATH"], HOME: home, DOCKER_HOST: host, COLUMNS: "200" };
  return {
    name,
    run: ({ args, stdin }) => {
      const signal = deadline(60_000, `docker ${args.join(" ")}`);
      return runCommand(CLIENT, args, { env, cwd: home, signal, stdin });
    },
  };
}

const IMAGES = ["busybox", "app"];

async function pushImages(registry: TestRegistry): Promise<void> {
  const base = await busyboxTar(registry);
  const config = {
    Env: ["PATH=/bin", "COLOR=blue"],
    Entrypoint: ["/bin/sh", "-c"],
    Cmd: ["sleep 60"],
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    Volumes: { "/data": {} },
    Labels: { maker: "lab", tier: "web" },
    User: "0:0",
    WorkingDir: "/tmp",
    StopSignal: "SIGINT",
  };
  await registry.push("library/app", "latest", [base, APP_FILES], config);
}

const APP_FILES = tar(
  directory("data/"),
  file("data/seed", "seeded\n"),
  directory("srv/"),
  file("srv/index.html", "hello\n"),
);

async function busyboxTar(registry: TestRegistry): Promise<Buffer> {
  const { layers } = await registry.pushBusybox();
  return gunzipSync(await readFile(layers[0]?.path ?? ""));
}

async function pullImages(side: Side): Promise<void> {
  for (const image of IMAGES) {
    const { exitCode, stderr } = await side.run({ args: ["pull", "-q", image], stdin: "" });
    if (exitCode !== 0) throw new Error(`${side.name}: pull ${image}: ${stderr}`);
  }
}
