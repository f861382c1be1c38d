import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { parse } from "yaml";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { type DetachedProcess, startDetached, tailOf } from "../lab/detached-process.ts";
import { eventually } from "../lab/eventually.ts";
import { isServing } from "../lab/health.ts";
import { otlpReceiver } from "../lab/otlp-receiver.ts";
import { testPostgres } from "../lab/postgres.ts";
import { testRegistry } from "../lab/registry.ts";
import { testRun } from "../lab/run-directory.ts";
import { sweepInstance } from "../lab/sweep.ts";
import { temporaryDirectory } from "../lab/temporary-directory.ts";

const SOURCE = join(import.meta.dirname, "../..");

interface ComposeService {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

describe("the processes run apart, as docker-compose.dev.yml describes them", function () {
  this.timeout(120_000);

  it("find each other by CTL_*_ADDR, share an outside Postgres, and go on when a replica is killed", async () => {
    await using registry = await testRegistry();
    await registry.pushBusybox();
    await using receiver = await otlpReceiver();
    await using place = await placeFor(registry.url, receiver.endpoint);
    const processes = await startAll(place);
    const ctl = async (...args: string[]) => {
      const result = await runCommand(join(SOURCE, "dist/ctl"), args, {
        env: { ...place.env, CTL_HOST: `unix://${place.run}/ctl.sock` },
        signal: deadline(60_000, `ctl ${args.join(" ")}`),
      });
      expect(result.exitCode, result.stderr).to.equal(0);
      return result.stdout.trim();
    };
    const ready = () => eventually(() => isServing(`${place.run}/ctl.sock`), 60_000);
    await ready().catch(async (cause: Error) => {
      const logs = await Promise.all([...processes.keys()].map((name) => tailOf(place.logOf(name))));
      throw new Error(logs.join("\n"), { cause });
    });

    expect(await ctl("run", "--rm", "busybox", "echo", "hello")).to.equal("hello");
    expect(await ctl("info", "--format", "json")).to.contain("images-2.sock");
    processes.get("images")?.signal("SIGKILL");
    expect(await ctl("run", "--rm", "-v", "data:/data", "busybox", "echo", "still")).to.equal("still");
    await eventually(() => receiver.spans.some(({ service }) => service === "ctl-volumes"), 20_000);
    await ctl("volume", "rm", "data");
  });
});

interface Place extends AsyncDisposable {
  readonly run: string;
  readonly env: NodeJS.ProcessEnv;
  readonly services: Readonly<Record<string, ComposeService>>;
  logOf(service: string): string;
  owns(process: DetachedProcess): void;
}

/** The file's own words, with the names and addresses of this test for those of a developer's machine. */
async function placeFor(mirror: string, otlp: string): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("a")).path;
  const instance = `${testRun().name}-apart`;
  const config = join(directory, "ctl.yaml");
  const database = undo.use(await emptyDatabase());
  undo.defer(() => sweepInstance(instance, directory));
  await writeFile(
    config,
    JSON.stringify({ registries: { "docker.io": { mirrors: [{ url: mirror }], "mirrors-only": true } } }),
  );
  const text = (await readFile(join(SOURCE, "docker-compose.dev.yml"), "utf8"))
    .replaceAll(/\$\{PWD\}/g, SOURCE)
    .replaceAll("/var/lib/ctl-dev", join(directory, "r"))
    .replaceAll("/run/ctl-dev", join(directory, "run"))
    .replaceAll("CTL_INSTANCE: dev", `CTL_INSTANCE: ${instance}`)
    .replaceAll("/etc/ctl/ctl.yaml", config)
    .replaceAll("postgresql://ctl:ctl@127.0.0.1:54329/ctl", database.url)
    .replaceAll("http://127.0.0.1:4317", otlp);
  const owned = undo.move();
  return {
    run: join(directory, "run"),
    env: { PATH: process.env["PATH"], HOME: directory, CTL_ALLOW_PRIVATE_MOUNT_NAMESPACE: "1" },
    services: parse(text, { merge: true }).services,
    logOf: (service) => join(directory, `${service}.log`),
    owns: (started) =>
      owned.defer(async () => {
        started.signal("SIGTERM");
        await started.ended(40_000).catch(() => started.signal("SIGKILL"));
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Those that step into the host's namespaces; Postgres and Jaeger are the test's own. */
async function startAll(place: Place): Promise<Map<string, DetachedProcess>> {
  const started = new Map<string, DetachedProcess>();
  for (const [name, { entrypoint = [], command = [], environment = {} }] of Object.entries(place.services)) {
    if (entrypoint[0] !== "nsenter") continue;
    const [program = "", ...args] = entrypoint.slice(entrypoint.indexOf("--") + 1);
    const env = { ...place.env, ...environment, PATH: place.env["PATH"] };
    const one = await startDetached(program, [...args, ...command], { log: place.logOf(name), env, cwd: "/" });
    place.owns(one);
    started.set(name, one);
  }
  return started;
}

async function emptyDatabase(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = await testPostgres();
  const url = new URL(server.url);
  url.pathname = "/apart";
  const ask = async (sql: string) => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await ask("create database apart");
  return { url: url.href, [Symbol.asyncDispose]: () => ask("drop database if exists apart with (force)") };
}
