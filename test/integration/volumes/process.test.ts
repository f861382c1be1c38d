import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { expect } from "chai";
import { CreateVolumeRequest, ListVolumesRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { IDEMPOTENT_METHODS } from "#proto/idempotent-methods.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { Channel, connect } from "../../../services/kit/grpc/client.ts";
import { eventually } from "../../lab/eventually.ts";
import { isServing } from "../../lab/health.ts";
import { testDatabase } from "../../lab/postgres.ts";
import { type RunningProgram, startProgram } from "../../lab/program.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { call } from "./volumes-lab.ts";

const MAIN = join(import.meta.dirname, "../../../services/volumes/main.ts");

describe("the volumes process", () => {
  it("migrates an empty database, serves, answers health and reflection, and ends within a second of SIGTERM", async () => {
    await using lab = await processLab();
    await using program = await lab.start();
    expect(await listedServices(lab.socket)).to.include("ctl.volumes.v1.Volumes");
    const watching = lab.watch();
    await lab.create("data");
    expect((await watching.next()).value?.event?.action).to.equal("create");
    const ended = watching.next(); // a watcher is no reason to stay
    const since = performance.now();
    program.signal("SIGTERM");
    expect(await program.exitCode(5_000)).to.equal(0);
    expect(performance.now() - since).to.be.lessThan(1_000);
    await ended.catch(() => {});
    expect(program.stderr()).to.include("database migrated").and.not.include('"level":"error"');
  });

  it("goes on when its database connections are killed, its duties and watchers too", async () => {
    await using lab = await processLab();
    await using program = await lab.start();
    const watching = lab.watch();
    await lab.create("before");
    expect((await watching.next()).value?.event?.id).to.equal("before");
    await lab.killConnections();
    await lab.create("after");
    expect((await watching.next()).value?.event?.id).to.equal("after");
    const trashed = join(lab.root, "volumes/.trash/01d7a5c2-0000-4000-8000-000000000000");
    await mkdir(trashed);
    await writeFile(join(trashed, "x"), "");
    await eventually(() => !existsSync(trashed));
    await watching.return(undefined);
    program.signal("SIGTERM");
    expect(await program.exitCode(5_000)).to.equal(0);
  });

  it("killed and started again knows its volumes, and a second one beside it takes over the upkeep", async () => {
    await using lab = await processLab();
    await using first = await lab.start();
    await lab.create("data");
    await using _second = await lab.start("second.sock");
    first.signal("SIGKILL");
    await first.exitCode();
    const trashed = join(lab.root, "volumes/.trash/01d7a5c2-0000-4000-8000-000000000000");
    await mkdir(trashed);
    await eventually(() => !existsSync(trashed));
    await using _third = await lab.start();
    expect(await lab.names()).to.deep.equal(["data"]);
  });

  it("ends with an error that names the address when it cannot listen", async () => {
    await using lab = await processLab();
    await using program = lab.launch("/dev/null/x.sock");
    expect(await program.exitCode(10_000)).to.equal(1);
    expect(program.stderr()).to.include('"level":"fatal"').and.include("/dev/null");
  });
});

async function processLab() {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("volumes"));
  const database = undo.use(await testDatabase("kit"));
  const socket = join(directory.path, "volumes.sock");
  const root = join(directory.path, "root");
  const channel = undo.use(new Channel([`unix:${socket}`], IDEMPOTENT_METHODS));
  const volumes = connect(VolumesService, channel);
  const launch = (path: string): RunningProgram =>
    startProgram(
      {
        program: process.execPath,
        args: [MAIN, `--root=${root}`, `--run=${directory.path}`, `--listen=unix:${path}`, "--config=/dev/null"],
        env: { ...process.env, CTL_DATABASE_URL: database.url },
      },
      directory.path,
    );
  const owned = undo.move();
  return {
    root,
    socket,
    launch,
    start: async (name?: string) => {
      const path = name === undefined ? socket : join(directory.path, name);
      const program = launch(path);
      await eventually(() => isServing(path), 15_000).catch((error: unknown) => {
        throw new Error(program.stderr(), { cause: error });
      });
      return program;
    },
    create: (name: string) => volumes.createVolume(CreateVolumeRequest.fromPartial({ name }), call()),
    names: async () => {
      const { volumes: found } = await volumes.listVolumes(ListVolumesRequest.create(), call());
      return found.map(({ name }) => name);
    },
    watch: () => {
      const range = { since: "0-0", sinceTime: undefined, untilTime: undefined, filters: [] };
      return volumes.watch(range, { signal: deadline(30_000, "watch") })[Symbol.asyncIterator]() as AsyncGenerator<{
        event: { action: string; id: string } | undefined;
      }>;
    },
    killConnections: () =>
      database.db.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ctl-volumes'",
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** grpc.reflection.v1: a request { list_services: "" } is field 7, and the answer names each service in plain text. */
async function listedServices(socket: string): Promise<string> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const stream = client.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", same, same);
  stream.write(Buffer.from([0x3a, 0x00]));
  stream.end();
  try {
    let text = "";
    for await (const answer of stream) text += String(answer);
    return text;
  } finally {
    client.close();
  }
}
