import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import { type Image, type ImageConfig, makeImage } from "../../deploy/lab-registry/image.ts";
import { LAB_IMAGES } from "../../deploy/lab-registry/images.ts";
import { RegistryClient } from "../../deploy/lab-registry/registry-client.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { startDetached, tailOf } from "./detached-process.ts";
import { eventually } from "./eventually.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const run = promisify(execFile);
const gzip = promisify(gzipCallback);

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:41234`, what comes before the slash in a reference. */
  readonly address: string;
  readonly url: string;
  /** Under `address/library/busybox:latest`, so that the registry can also be docker.io's mirror. */
  pushBusybox(): Promise<Image>;
  /** One of the lab registry's (`nginx`, `redis`, `debian`), whose root deploy/lab-registry/ensure-roots.sh made. */
  pushLabImage(name: string): Promise<Image>;
  /** An image of the given tar layers, the lowest first. */
  push(repository: string, tag: string, tars: readonly Buffer[], config?: ImageConfig): Promise<Image>;
  /** A second server with the same address and content, in the network namespace of that path. */
  serveIn(networkNamespace: string): Promise<AsyncDisposable>;
  /** Ends the server, as when a registry goes down in the middle of a pull. */
  stop(): Promise<void>;
}

/** A real registry (Debian's docker-registry) with storage of its own, on a free loopback port, empty. 0.1 s. */
export async function testRegistry(): Promise<TestRegistry> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("registry"));
  const config = join(directory.path, "config.yml");
  await writeFile(config, configuration(directory.path, "127.0.0.1:0"));
  const server = await startDetached("docker-registry", ["serve", config], { log: join(directory.path, "log") });
  const stop = async () => {
    server.signal("SIGKILL");
    await server.ended(5_000);
  };
  undo.defer(stop);
  const address = await listeningAddress(server.log);
  const url = `http://${address}`;
  const client = new RegistryClient(url);
  const pushPaths = async (
    repository: string,
    tags: readonly string[],
    paths: readonly string[],
    made: ImageConfig,
  ) => {
    const image = await makeImage(paths, made);
    await client.push(repository, tags, image, deadline(60_000, `push ${repository}`));
    return image;
  };
  const owned = undo.move();
  return {
    address,
    url,
    stop,
    serveIn: (networkNamespace) => serveIn(networkNamespace, directory.path, address),
    pushBusybox: async () => {
      const layer = await busyboxLayer(directory.path);
      return await pushPaths("library/busybox", ["latest"], [layer], { Env: [PATH], Cmd: ["sh"] });
    },
    pushLabImage: async (name) => {
      const image = LAB_IMAGES.find(({ root }) => root === name) ?? missing(`a lab image called ${name}`);
      const layers = [join(labRoots(), `${name}.tar.gz`), ...(await filesLayer(image.files, directory.path))];
      return await pushPaths(image.repository, image.tags, layers, image.config);
    },
    push: async (repository, tag, tars, made = { Env: [PATH] }) => {
      const paths = await Promise.all(tars.map((tar, index) => writeLayer(directory.path, `${tag}-${index}`, tar)));
      return await pushPaths(repository, [tag], paths, made);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

async function serveIn(networkNamespace: string, directory: string, address: string): Promise<AsyncDisposable> {
  const config = join(directory, "config-elsewhere.yml");
  await writeFile(config, configuration(directory, address));
  const command = [`--net=${networkNamespace}`, "--", "docker-registry", "serve", config];
  const server = await startDetached("nsenter", command, { log: join(directory, "log-elsewhere") });
  await listeningAddress(server.log);
  return {
    [Symbol.asyncDispose]: async () => {
      server.signal("SIGKILL");
      await server.ended(5_000);
    },
  };
}

/** With port 0 the kernel gives a free one, and the server's log says which. */
function configuration(directory: string, address: string): string {
  return `version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${directory}/data }
  delete: { enabled: true }
http: { addr: "${address}" }
`;
}

async function listeningAddress(log: string): Promise<string> {
  const found = await eventually(
    async () => /listening on (127\.0\.0\.1:\d+)/.exec(await readFile(log, "utf8"))?.[1],
  ).catch(async () => missing(`a docker-registry that listens; it said: ${await tailOf(log)}`));
  return found;
}

/** Debian's static BusyBox with a link for each of its programs: 2 MB, all that `run busybox true` needs. */
async function busyboxLayer(work: string): Promise<string> {
  const root = await mkdtemp(join(work, "busybox-root-"));
  for (const directory of ["bin", "etc", "tmp", "root", "home", "var", "usr/bin"]) {
    await mkdir(join(root, directory), { recursive: true });
  }
  await chmod(join(root, "tmp"), 0o1777);
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  await chmod(join(root, "bin/busybox"), 0o755);
  const { stdout } = await run("/bin/busybox", ["--list"]);
  const applets = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  await Promise.all(applets.map((name) => symlink("busybox", join(root, "bin", name))));
  for (const name of ["passwd", "group"]) {
    await copyFile(
      join(import.meta.dirname, "../../deploy/lab-registry/files/busybox/etc", name),
      join(root, "etc", name),
    );
  }
  return await packDirectory(root, join(work, "busybox.tar"));
}

async function filesLayer(files: string | undefined, work: string): Promise<string[]> {
  if (files === undefined) return [];
  const folder = join(import.meta.dirname, "../../deploy/lab-registry/files", files);
  return [await packDirectory(folder, join(work, `${files}-files.tar`))];
}

async function packDirectory(folder: string, tar: string): Promise<string> {
  await run("tar", [
    "--sort=name",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mtime=@1700000000",
    "-C",
    folder,
    "-cf",
    tar,
    ".",
  ]);
  return await writeLayer(dirname(tar), tar.slice(dirname(tar).length + 1, -".tar".length), await readFile(tar));
}

async function writeLayer(work: string, name: string, tar: Buffer): Promise<string> {
  const path = join(work, `${name}.tar.gz`);
  await writeFile(path, await gzip(tar, { level: 1 }));
  return path;
}

function labRoots(): string {
  return join(process.env["CTL_LAB_DIRECTORY"] ?? "/var/lib/ctl-lab-registry", "roots");
}

function missing(what: string): never {
  throw new Error(`there is not ${what}`);
}
