import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { expect } from "chai";
import { type TestDaemon, testDaemon } from "../lab/daemon.ts";
import { eventually } from "../lab/eventually.ts";
import { isServing } from "../lab/health.ts";
import { ok } from "../lab/ok.ts";
import { testRegistry } from "../lab/registry.ts";

const REFLECTION = join(
  dirname(createRequire(import.meta.url).resolve("@grpc/reflection/package.json")),
  "build/proto/grpc/reflection/v1/reflection.proto",
);

describe("the daemon", function () {
  this.timeout(60_000);

  it("answers health and reflection, itself and each service, and names what it serves", async () => {
    await using daemon = await testDaemon();
    const served = { images: "Images", containers: "Containers", networks: "Networks", volumes: "Volumes" };
    for (const [name, service] of Object.entries(served)) {
      const socket = join(daemon.run, "internal", `${name}-0.sock`);
      expect(await isServing(socket), name).to.equal(true);
      expect(await listServices(socket)).to.include(`ctl.${name}.v1.${service}`);
    }
    expect(await listServices(daemon.socket)).to.include("ctl.gateway.v1.Gateway");
  });

  it("takes up changed registries at SIGHUP, and keeps what it has where the file cannot be read", async () => {
    await using registry = await testRegistry();
    await registry.pushBusybox();
    const nowhere = { "docker.io": { mirrors: [{ url: "http://127.0.0.1:1" }], "mirrors-only": true } };
    await using daemon = await testDaemon({ config: { registries: nowhere } });
    expect((await daemon.ctl("pull", "busybox")).exitCode).to.equal(1);

    const there = { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } };
    await writeFile(join(daemon.directory, "ctl.yaml"), JSON.stringify({ registries: there }));
    await hangUp(daemon);
    await eventually(async () => (await daemon.ctl("pull", "-q", "busybox")).exitCode === 0, 20_000);

    await writeFile(join(daemon.directory, "ctl.yaml"), "registries: [");
    await hangUp(daemon);
    await eventually(async () => (await readFile(daemon.log, "utf8")).includes("configuration not reloaded"), 10_000);
    await ok(daemon, "run", "--rm", "busybox", "true");
    await writeFile(join(daemon.directory, "ctl.yaml"), "{}");
  });

  it("writes one JSON object a line, never a container's output, to its log", async () => {
    await using registry = await testRegistry();
    await registry.pushBusybox();
    const config = { registries: { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } } };
    await using daemon = await testDaemon({ config, env: { CTL_LOG_LEVEL: "debug" } });
    await ok(daemon, "run", "--rm", "busybox", "echo", "the container's own words");
    const log = await readFile(daemon.log, "utf8");
    expect(log).not.to.include("the container's own words");
    const entries = log.trimEnd().split("\n");
    const isEntry = (line: string) => line.startsWith('{"level":"') && line.includes('"service":"');
    expect(entries.filter((line) => !isEntry(line))).to.deep.equal([]);
    const exited = entries.map((line) => JSON.parse(line)).find(({ msg }) => msg === "container exited");
    expect(exited).to.include({ level: "info", service: "containers", "ctl.exit_code": 0 });
  });
});

async function hangUp(daemon: TestDaemon): Promise<void> {
  const pid = await daemon.pidOf("gateway");
  if (pid === undefined) throw new Error("the gateway does not run");
  process.kill(pid, "SIGHUP");
}

/** What a server's reflection says that it serves, as grpcurl asks it. */
async function listServices(socket: string): Promise<string[]> {
  const loaded = loadPackageDefinition(loadSync(REFLECTION, { keepCase: true }));
  const Reflection = ["grpc", "reflection", "v1", "ServerReflection"].reduce<unknown>(
    (at, name) => (at as Record<string, unknown>)[name],
    loaded,
  ) as ServiceClientConstructor;
  const client = new Reflection(`unix:${socket}`, credentials.createInsecure());
  try {
    const call = client["ServerReflectionInfo"]?.();
    const answered = Promise.withResolvers<string[]>();
    call.on("data", ({ list_services_response: { service } }: ListAnswer) =>
      answered.resolve(service.map(({ name }) => name)),
    );
    call.on("error", answered.reject);
    call.write({ list_services: "" });
    const names = await answered.promise;
    call.end();
    return names;
  } finally {
    if (client instanceof Client) client.close();
  }
}

interface ListAnswer {
  readonly list_services_response: { readonly service: readonly { readonly name: string }[] };
}
