import type pg from "pg";
import type { Db, Result } from "./database.ts";

/** One statement on one connection, as `Database` runs it. */
export type Run = <R>(target: pg.Pool | pg.PoolClient, text: string, values: readonly unknown[]) => Promise<Result<R>>;

/** One more than idle connections that may have died together. */
const BEGIN_ATTEMPTS = 9;
const ROLLBACK_TIMEOUT_MS = 1_000;

/**
 * One transaction on a connection of the pool. Nothing waits that need not: `begin` travels with the first statements, and
 * those that are begun together go out in one write (a round trip costs 0.3 ms and two processes' wake-ups). Dispose it to
 * give the connection back.
 */
export class Transaction implements AsyncDisposable {
  readonly #connect: () => Promise<pg.PoolClient>;
  readonly #run: Run;
  #client: pg.PoolClient;
  #begun: Promise<void> | undefined;
  #isCorked = false;
  #isBroken = false;
  /** What the commit waits for: checks before it is sent, the others with it. */
  readonly #checked: Promise<void>[] = [];
  readonly #enqueued: Promise<unknown>[] = [];

  constructor(client: pg.PoolClient, connect: () => Promise<pg.PoolClient>, run: Run) {
    this.#client = client;
    this.#connect = connect;
    this.#run = run;
  }

  /** Once. Throws what `work`, a check or a statement throws; then nothing of it is done. */
  async commit<T>(work: (db: Db) => Promise<T>): Promise<T> {
    try {
      const result = await this.#checkedResult(work);
      if (this.#begun !== undefined) await Promise.all([...this.#enqueued, this.#send("commit", [])]);
      return result;
    } catch (error) {
      await Promise.allSettled([...this.#checked, ...this.#enqueued]);
      await this.#rollBack();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.release(this.#isBroken);
  }

  /** A check's failure comes before that of the work, which may only follow from it. */
  async #checkedResult<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const worked = work({
      query: (text, values = []) => this.#query(text, values),
      enqueue: (text, values, check) => this.#enqueue(text, values, check),
    });
    await worked.catch(() => {});
    await Promise.all(this.#checked);
    return worked;
  }

  #enqueue<R>(text: string, values: readonly unknown[], check?: (result: Result<R>) => void): void {
    const answer = this.#query<R>(text, values);
    const waiting = check === undefined ? answer : answer.then(check);
    waiting.catch(() => {}); // told by the commit
    if (check === undefined) this.#enqueued.push(waiting);
    else this.#checked.push(waiting as Promise<void>);
  }

  async #query<R>(text: string, values: readonly unknown[]): Promise<Result<R>> {
    if (this.#begun === undefined) {
      this.#begun = this.#begin();
      this.#begun.catch(() => {}); // told by the statements that were sent behind it
    }
    const client = this.#client;
    try {
      return await this.#send<R>(text, values);
    } catch (error) {
      await this.#begun;
      if (client === this.#client) throw error;
      return await this.#send<R>(text, values); // it was sent behind a `begin` that failed, so it was never done
    }
  }

  /**
   * An idle connection whose server is gone is seen only when it is used: nothing has been done by then, so another one is
   * taken.
   */
  async #begin(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send("begin", []);
        return;
      } catch (error) {
        if (attempt === BEGIN_ATTEMPTS) throw error;
        const broken = this.#client;
        this.#client = await this.#connect();
        broken.release(true);
      }
    }
  }

  #send<R>(text: string, values: readonly unknown[]): Promise<Result<R>> {
    this.#cork();
    return this.#run<R>(this.#client, text, values);
  }

  /** What is sent until the end of this turn goes out in one write. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    const { stream } = this.#client.connection;
    stream.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }

  async #rollBack(): Promise<void> {
    const timeout = Promise.withResolvers<false>();
    const timer = setTimeout(() => timeout.resolve(false), ROLLBACK_TIMEOUT_MS);
    const done = this.#client.query("rollback").then(
      () => true,
      () => false,
    );
    this.#isBroken = !(await Promise.race([done, timeout.promise]));
    clearTimeout(timer);
  }
}
