import { SpanKind } from "@opentelemetry/api";
import pg from "pg";
import { CtlError } from "./errors.ts";
import { SharedSession } from "./shared-session.ts";
import { StatementNames } from "./statement-names.ts";
import { attribute } from "./telemetry/attributes.ts";
import { inSpan } from "./telemetry/trace.ts";
import { type Run, Transaction } from "./transaction.ts";

export interface Result<R> {
  readonly rows: R[];
  readonly rowCount: number;
}

/**
 * A pool or a transaction: what every function of a store.ts takes first, so that callers compose transactions. Within a
 * transaction statements that are begun together travel together: one round trip for all.
 */
export interface Db {
  query<R = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Result<R>>;
  /**
   * In a transaction alone: sent at once and waited for with the commit, which its failure makes a rollback. With a
   * `check` of its result that is known before the commit is sent: what it throws fails the transaction.
   */
  enqueue?<R>(text: string, values: readonly unknown[], check?: (result: Result<R>) => void): void;
}

export interface DatabaseSettings {
  /** `postgresql://user@/database?host=/run/ctl/postgres` or an outside server's. */
  readonly url: string;
  /** The service's schema: first on the search path of every connection. */
  readonly schema: string;
  readonly maxConnections?: number;
}

const STATEMENT_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;

export class Database implements Db, AsyncDisposable {
  readonly schema: string;
  readonly #pool: pg.Pool;
  /** For a program of ours that connects by itself; holds a password where the server wants one. */
  readonly url: string;
  readonly #statementNames = new StatementNames();
  /** For what must last: LISTEN and session advisory locks. */
  readonly shared: SharedSession = new SharedSession(() => this.session());

  constructor(settings: DatabaseSettings) {
    this.schema = settings.schema;
    this.url = settings.url;
    this.#pool = new pg.Pool({
      ...connectionOptions(settings.url, settings.schema),
      pipeline: true, // for transactions, whose statements need not wait for each other's answers
      max: settings.maxConnections ?? 8,
      min: 0, // one made on demand costs a fork and 5 ms, and an idle one 3 MB for as long as it is kept
      idleTimeoutMillis: 10_000,
    });
    this.#pool.on("error", () => {}); // an idle connection that breaks is replaced at its next use
    // one in use tells its user by the query that fails; told nobody else, it would end the process
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  query<R>(text: string, values: readonly unknown[] = []): Promise<Result<R>> {
    return this.#run<R>(this.#pool, text, values);
  }

  /**
   * Runs `work` in one transaction: committed when it returns, rolled back when it throws. Retries nothing: a step that
   * meets a serialization failure is done again by its operation.
   */
  async transaction<T>(work: (db: Db) => Promise<T>): Promise<T> {
    await using transaction = new Transaction(await this.#connect(), () => this.#connect(), this.#run);
    return await transaction.commit(work);
  }

  /** A connection of its own, outside the pool, for locks of one operation. The caller ends it. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ ...connectionOptions(this.url, this.schema), keepAlive: true });
    client.on("error", () => {}); // the owner learns of it from "end"
    try {
      await client.connect();
    } catch (error) {
      throw databaseError(error, "connect to the database");
    }
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shared[Symbol.asyncDispose]();
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw databaseError(error, "connect to the database");
    }
  }

  readonly #run: Run = <R>(target: pg.Pool | pg.PoolClient, text: string, values: readonly unknown[]) => {
    const attributes = {
      [attribute.dbSystem]: "postgresql",
      [attribute.dbSchema]: this.schema,
      [attribute.dbStatement]: text,
    };
    return inSpan("db.query", { kind: SpanKind.CLIENT, attributes }, async () => {
      try {
        const config =
          values.length === 0 ? { text } : { name: this.#statementNames.of(text), text, values: [...values] };
        const result = await target.query(config);
        return { rows: result.rows as R[], rowCount: result.rowCount ?? 0 };
      } catch (error) {
        throw databaseError(error, "use the database");
      }
    });
  };
}

function connectionOptions(url: string, schema: string): pg.ClientConfig {
  return {
    connectionString: url,
    options: `-c search_path=${schema} -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000`,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // for a connection that died without a word: the server's own timeout does not reach us then
    query_timeout: STATEMENT_TIMEOUT_MS + 1_000,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: `ctl-${schema}`,
  };
}

/** Constraint errors stay as they are (see `violates`): their caller knows what they mean. */
function databaseError(error: unknown, what: string): unknown {
  if (error instanceof CtlError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("23")) return error;
  if (code === "57014" || code === "55P03") {
    return new CtlError("DEADLINE_EXCEEDED", {
      reason: "DATABASE_TIMEOUT",
      what,
      why: "a statement or a lock took too long",
      fix: "try again",
      cause: error,
    });
  }
  if (isConnectionFailure(code, error.message)) {
    return new CtlError("UNAVAILABLE", {
      reason: "DATABASE_UNAVAILABLE",
      what,
      why: "the database does not answer",
      fix: "it is restarted by ctld; try again in a moment, or look at the daemon's log",
      cause: error,
    });
  }
  return error;
}

const SOCKET_ERRORS = new Set(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN"]);

function isConnectionFailure(code: string, message: string): boolean {
  if (SOCKET_ERRORS.has(code)) return true;
  // classes 08 connection, 57P admin shutdown and starting up, 53 out of resources
  if (/^(08|57P|53)/.test(code)) return true;
  return /Connection terminated|timeout exceeded|Query read timeout|not queryable|Connection ended/i.test(message);
}

/** True when the error is a violated constraint with this name (unique, foreign key, check or exclusion). */
export function violates(error: unknown, constraint: string): boolean {
  return error instanceof Error && "constraint" in error && error.constraint === constraint;
}
