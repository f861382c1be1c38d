import { chmod, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { findPostmaster, serverProcesses } from "../../../../gateway/supervisor/postgres/processes.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "../../../../gateway/supervisor/postgres.ts";
import { keepPostgres } from "../../../../gateway/supervisor/postgres-watch.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { eventually } from "../../../lab/eventually.ts";
import { POSTGRES_BINARIES } from "../../../lab/postgres.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

describe("embedded Postgres", () => {
  it("starts on an empty directory, keeps what was committed over a stop, and lets root be any role", async () => {
    await using place = await ground();
    const first = await startPostgres(place.options, soon());
    await query(first, "create role ctl_images login; create table kept (a int); insert into kept values (1)");
    await first.stop(soon());

    const second = await startPostgres(place.options, soon());

    expect(second.adopted).to.equal(false);
    expect(await query(second, "select a from kept")).to.deep.equal([{ a: 1 }]);
    const role = second.url.replace("ctl@", "ctl_images@");
    expect(await query({ url: role }, "select current_user as me")).to.deep.equal([{ me: "ctl_images" }]);
  });

  it("is adopted, not started again, by who comes later", async () => {
    await using place = await ground();
    const first = await startPostgres(place.options, soon());
    const second = await startPostgres(place.options, soon());
    expect(second).to.include({ pid: first.pid, adopted: true, isOutdated: false });
  });

  it("runs in a session of its own, as the unprivileged user, and listens on no network address", async () => {
    await using place = await ground();
    const server = await startPostgres(place.options, soon());
    const stat = (await readFile(`/proc/${server.pid}/stat`, "utf8")).split(" ");
    expect(stat[5]).to.equal(`${server.pid}`);
    expect(await readFile(`/proc/${server.pid}/status`, "utf8")).to.not.match(/^(Uid|Gid|Groups):.*\b0\b/m);
    expect(await query(server, "show listen_addresses")).to.deep.equal([{ listen_addresses: "" }]);
  });

  it("comes back after kill -9 of the postmaster, with what was committed", async () => {
    await using place = await ground();
    const server = await startPostgres(place.options, soon());
    await query(server, "create table kept (a int); insert into kept values (1)");
    const busy = query(server, "select pg_sleep(60)").catch(() => "cut off");
    await eventually(async () => (await query(server, ACTIVE))[0]?.["n"] === "1");
    const stop = new AbortController();
    const restarted: Postgres[] = [];
    const watcher = { onEnded() {}, onFailed() {}, onRestarted: (next: Postgres) => restarted.push(next) };
    const keeping = keepPostgres(server, place.options, watcher, stop.signal).catch(() => {});

    process.kill(server.pid, "SIGKILL");

    const next = await eventually(() => restarted[0], 10_000);
    expect(next.pid).to.not.equal(server.pid);
    expect(await query(next, "select a from kept")).to.deep.equal([{ a: 1 }]);
    expect(await busy).to.equal("cut off");
    stop.abort();
    await keeping;
  });

  it("starts although the pid file names a process that is not its own", async () => {
    await using place = await ground();
    const first = await startPostgres(place.options, soon());
    const pidFile = join(place.options.dataDirectory, "postmaster.pid");
    const lines = (await readFile(pidFile, "utf8")).split("\n");
    await first.stop(soon());
    await writeFile(pidFile, [`${process.pid}`, ...lines.slice(1)].join("\n"));

    const second = await startPostgres(place.options, soon());
    expect(await query(second, "select 1 as one")).to.deep.equal([{ one: 1 }]);
  });

  it("replaces a server whose socket is gone: nobody could reach it", async () => {
    await using place = await ground();
    const first = await startPostgres(place.options, soon());
    await rm(place.options.socketDirectory, { recursive: true });
    const second = await startPostgres(place.options, soon());
    expect(second.pid).to.not.equal(first.pid);
    expect(await query(second, "select 1 as one")).to.deep.equal([{ one: 1 }]);
  });

  it("makes the data directory anew when an earlier attempt was interrupted", async () => {
    await using place = await ground();
    await mkdir(`${place.options.dataDirectory}.unfinished/base`, { recursive: true });
    const server = await startPostgres(place.options, soon());
    expect(await query(server, "select 1 as one")).to.deep.equal([{ one: 1 }]);
  });

  it("refuses the data of another major version, says how to go on, and touches nothing", async () => {
    await using place = await ground();
    await mkdir(place.options.dataDirectory);
    await writeFile(join(place.options.dataDirectory, "PG_VERSION"), "15\n");
    const error = await rejection(startPostgres(place.options, soon()));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "POSTGRES_MAJOR_DIFFERS" });
    expect(error).to.have.property("fix").that.contains("pg_dumpall");
    expect(await readFile(join(place.options.dataDirectory, "PG_VERSION"), "utf8")).to.equal("15\n");
  });

  it("tells the end of its log when it cannot start, and leaves no process", async () => {
    await using place = await ground();
    const first = await startPostgres(place.options, soon());
    await first.stop(soon());
    await writeFile(join(place.options.dataDirectory, "local.conf"), "shared_buffers = nonsense\n");
    await chmod(join(place.options.dataDirectory, "local.conf"), 0o644);
    const error = await rejection(startPostgres(place.options, soon()));
    expect(error).to.include({ code: "UNAVAILABLE", reason: "POSTGRES_NOT_READY" });
    expect(error).to.have.property("why").that.contains("shared_buffers");
    expect(await serverProcesses(place.options.dataDirectory)).to.deep.equal([]);
  });

  it("copies its programs out of a directory that its user cannot enter", async () => {
    await using hidden = await temporaryDirectory();
    const binaries = join(hidden.path, "native");
    await cp(POSTGRES_BINARIES, binaries, { recursive: true, verbatimSymlinks: true });
    await chmod(hidden.path, 0o700);
    await using place = await ground(binaries);

    await startPostgres(place.options, soon());

    const again = await startPostgres(place.options, soon());
    expect(again).to.include({ adopted: true, isOutdated: false });
    const { program } = (await findPostmaster(place.options.dataDirectory)) ?? expect.fail("it does not run");
    expect(program).to.match(/data-binaries\/\d+\.\d+\/bin\/postgres$/);
  });

  it("tells who adopts it that it runs another program than the one asked for", async () => {
    await using older = await temporaryDirectory();
    const binaries = join(older.path, "native");
    await cp(POSTGRES_BINARIES, binaries, { recursive: true, verbatimSymlinks: true });
    await using place = await ground(binaries);
    await startPostgres(place.options, soon());

    const adopted = await startPostgres({ ...place.options, binaries: POSTGRES_BINARIES }, soon());

    expect(adopted).to.include({ adopted: true, isOutdated: true });
  });
});

const ACTIVE = "select count(*) as n from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'";

function soon(): AbortSignal {
  return deadline(15_000, "act on Postgres in a test");
}

interface Ground extends AsyncDisposable {
  readonly options: PostgresOptions;
}

async function ground(binaries = POSTGRES_BINARIES): Promise<Ground> {
  const directory = await temporaryDirectory("pg");
  const options = {
    dataDirectory: join(directory.path, "data"),
    socketDirectory: join(directory.path, "run"),
    user: "nobody",
    binaries,
    log: join(directory.path, "log/postgres.log"),
  };
  return {
    options,
    [Symbol.asyncDispose]: async () => {
      const running = await findPostmaster(options.dataDirectory);
      if (running !== undefined) await (await startPostgres(options, soon())).stop(soon());
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function query(server: { readonly url: string }, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: server.url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
