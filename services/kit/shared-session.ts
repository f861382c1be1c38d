import type pg from "pg";
import type { Db, Result } from "./database.ts";
import { sleep } from "./deadlines.ts";
import { CtlError } from "./errors.ts";
import { StatementNames } from "./statement-names.ts";

const RECONNECT_MS = 200;
const LOCK_RETRY_MS = 300;

/** A session advisory lock, until it is disposed or the session ends. */
export interface HeldLock extends AsyncDisposable {
  /** Aborts with ABORTED LOCK_LOST when the session that held it ended: somebody else may have it now. */
  readonly lost: AbortSignal;
}

interface Connection {
  readonly client: pg.Client;
  readonly lost: AbortController;
  /** Resolves when what was asked last is answered. */
  turn: Promise<void>;
}

/**
 * The one connection of a process that must last: it listens, and it holds the process's advisory locks. A Postgres
 * backend costs 1.5 to 4 MB (measured), so all that needs a session shares this one. It comes back by itself.
 */
export class SharedSession implements Db, AsyncDisposable {
  readonly #connect: () => Promise<pg.Client>;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #stopped = new AbortController();
  readonly #statementNames = new StatementNames();
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;

  constructor(connect: () => Promise<pg.Client>) {
    this.#connect = connect;
  }

  /** For what asks every second whether there is something to do: the pool's connections can end meanwhile. No spans. */
  async query<R>(text: string, values: readonly unknown[] = []): Promise<Result<R>> {
    const connection = await this.#open();
    const config = { name: this.#statementNames.of(text), text, values: [...values] };
    const result = await this.#inTurn(connection, (client) => client.query(config));
    return { rows: result.rows as R[], rowCount: result.rowCount ?? 0 };
  }

  /**
   * Calls `wake` at every NOTIFY of the channel, and once after each time when notifications may have been missed. Begins
   * at once; dispose it to end.
   */
  listen(channel: string, wake: () => void): Disposable {
    const wakes = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, wakes.add(wake));
    const begin = async (): Promise<void> => {
      await this.#inTurn(await this.#open(), (client) => client.query(`listen ${channel}`));
    };
    begin().then(wake, () => {}); // a connection that comes back listens to all channels
    return { [Symbol.dispose]: () => wakes.delete(wake) };
  }

  /** Waits for a lock that no other process holds, asking every 300 ms. Throws by the signal. */
  async hold(key: string, signal: AbortSignal): Promise<HeldLock> {
    const ends = AbortSignal.any([signal, this.#stopped.signal]);
    for (;;) {
      const connection = await this.#open();
      const { rows } = await this.#inTurn(connection, (client) =>
        client.query<{ mine: boolean }>("select pg_try_advisory_lock(hashtextextended($1, 0)) as mine", [key]),
      );
      if (rows[0]?.mine === true) return this.#held(key, connection);
      await sleep(LOCK_RETRY_MS, ends);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#connecting?.catch(() => {});
    await this.#connection?.client.end().catch(() => {});
  }

  #held(key: string, connection: Connection): HeldLock {
    const { lost } = connection;
    const unlock = "select pg_advisory_unlock(hashtextextended($1, 0))";
    return {
      lost: lost.signal,
      [Symbol.asyncDispose]: async () => {
        if (!lost.signal.aborted) await this.#inTurn(connection, (c) => c.query(unlock, [key])).catch(() => {});
      },
    };
  }

  /** A connection does one thing at a time, and pg wants to be asked one at a time. */
  #inTurn<T>(connection: Connection, ask: (client: pg.Client) => Promise<T>): Promise<T> {
    const answer = connection.turn.then(() => ask(connection.client));
    connection.turn = answer.then(
      () => {},
      () => {},
    );
    return answer;
  }

  #open(): Promise<Connection> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#connecting ??= this.#openNew().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #openNew(): Promise<Connection> {
    const client = await this.#connect();
    const connection: Connection = { client, lost: new AbortController(), turn: Promise.resolve() };
    client.on("end", () => this.#onEnd(connection));
    client.on("notification", ({ channel }) => this.#wake(channel));
    for (const channel of this.#listeners.keys()) {
      await client.query(`listen ${channel}`);
      this.#wake(channel);
    }
    this.#connection = connection;
    return connection;
  }

  #wake(channel: string): void {
    for (const wake of this.#listeners.get(channel) ?? []) wake();
  }

  #onEnd(connection: Connection): void {
    connection.lost.abort(lockLost());
    if (this.#connection === connection) this.#connection = undefined;
    if (this.#listeners.size > 0) void this.#reopen();
  }

  async #reopen(): Promise<void> {
    while (!this.#stopped.signal.aborted && this.#connection === undefined) {
      await this.#open().catch(() => {});
      await sleep(RECONNECT_MS, this.#stopped.signal).catch(() => {});
    }
  }
}

function lockLost(): CtlError {
  return new CtlError("ABORTED", {
    reason: "LOCK_LOST",
    what: "keep a lock",
    why: "the database session that held it ended",
  });
}
