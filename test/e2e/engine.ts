import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { ImageConfig } from "../../deploy/lab-registry/image.ts";
import type { CommandResult } from "../../services/kit/command.ts";
import { type DaemonOptions, type TestDaemon, testDaemon } from "../lab/daemon.ts";
import { stateAtRest, untilAsBefore } from "../lab/instance-state.ts";
import type { HostState } from "../lab/leak-check.ts";
import { ok } from "../lab/ok.ts";
import type { RunningProgram } from "../lab/program.ts";
import { type TestRegistry, testRegistry } from "../lab/registry.ts";

/** A daemon with a registry beside it, that the tests of one file share. */
export interface Engine {
  readonly daemon: TestDaemon;
  /** docker.io's mirror. */
  readonly registry: TestRegistry;
  /** Whatever its exit code. */
  ctl(...args: string[]): Promise<CommandResult>;
  /** The standard output, without its last newline, of a `ctl` that must succeed. */
  ok(...args: string[]): Promise<string>;
  /** What a `ctl` that must fail says on its standard error; throws unless the exit code is this one. */
  fails(exitCode: number, ...args: string[]): Promise<string>;
  start(...args: string[]): RunningProgram;
  /** An image of these layers above busybox's own; answers its reference, in the registry and not yet pulled. */
  push(repository: string, layers: readonly Buffer[], config?: ImageConfig): Promise<string>;
  /** A field of `ctl inspect` by its path in Docker's JSON: `State.ExitCode`. */
  inspect(name: string, path: string): Promise<unknown>;
}

export interface EngineOptions extends DaemonOptions {
  /** Images of the registry: `busybox`, or one of the lab's (`nginx`, `redis`). */
  readonly images: readonly string[];
  /** What the host needs before the daemon starts; /etc is the test run's own. */
  readonly before?: () => Promise<void>;
  /** Kept in the daemon, so that no test waits for a pull. */
  readonly isPulled?: boolean;
}

/**
 * Starts it before the first test of the enclosing `describe`, takes away containers, volumes and networks behind each
 * test, and behind the last proves that the daemon has nothing that it did not have at first.
 */
export function sharedEngine(options: EngineOptions): Engine {
  const owned = new AsyncDisposableStack();
  let running: { daemon: TestDaemon; registry: TestRegistry; before: HostState } | undefined;
  const now = () => {
    if (running === undefined) throw new Error("the engine runs only inside of tests");
    return running;
  };
  before(async function () {
    this.timeout(120_000);
    await options.before?.();
    const registry = owned.use(await testRegistry());
    for (const image of options.images) {
      await (image === "busybox" ? registry.pushBusybox() : registry.pushLabImage(image));
    }
    // a test run has no way out: docker.io itself would be waited for in vain
    const registries = { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } };
    const daemon = owned.use(await testDaemon({ ...options, config: { registries, ...options.config } }));
    for (const image of options.images) {
      await ok(daemon, "pull", "-q", image);
      if (options.isPulled === false) await ok(daemon, "rmi", image);
    }
    // makes what is made once: the cgroup that containers are in, the directories of the image store
    if (options.isPulled !== false) await daemon.ctl("run", "--rm", options.images[0] ?? "", "true");
    running = { daemon, registry, before: await stateAtRest(daemon) };
  });
  afterEach(async function () {
    this.timeout(60_000);
    await clear(now().daemon);
  });
  after(async function () {
    this.timeout(120_000);
    try {
      if (running !== undefined) await untilAsBefore(running.daemon, running.before);
    } finally {
      await owned.disposeAsync();
    }
  });
  return {
    get daemon() {
      return now().daemon;
    },
    get registry() {
      return now().registry;
    },
    ctl: (...args) => now().daemon.ctl(...args),
    ok: (...args) => ok(now().daemon, ...args),
    fails: async (exitCode, ...args) => {
      const result = await now().daemon.ctl(...args);
      if (result.exitCode === exitCode) return result.stderr;
      throw new Error(
        `ctl ${args.join(" ")} ended with ${result.exitCode}, not ${exitCode}: ${JSON.stringify(result)}`,
      );
    },
    start: (...args) => now().daemon.startCtl(args),
    push: async (repository, layers, config = {}) => {
      const { registry } = now();
      const busybox = await registry.pushBusybox();
      const base = await Promise.all(busybox.layers.map(async ({ path }) => gunzipSync(await readFile(path))));
      await registry.push(repository, "latest", [...base, ...layers], { Env: [PATH], ...config });
      return `${registry.address}/${repository}`;
    },
    inspect: async (name, path) => {
      let value: unknown = JSON.parse(await ok(now().daemon, "inspect", name))[0];
      for (const key of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
      return value;
    },
  };
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

async function clear(daemon: TestDaemon): Promise<void> {
  const ids = async (...command: string[]) => (await ok(daemon, ...command)).split("\n").filter((id) => id !== "");
  const containers = await ids("ps", "-aq", "--no-trunc");
  if (containers.length > 0) await ok(daemon, "rm", "-f", "-v", ...containers);
  const volumes = await ids("volume", "ls", "-q");
  if (volumes.length > 0) await ok(daemon, "volume", "rm", ...volumes);
  const networks = await ids("network", "ls", "-q", "--filter", "type=custom");
  if (networks.length > 0) await ok(daemon, "network", "rm", ...networks);
}
