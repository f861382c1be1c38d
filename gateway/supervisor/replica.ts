import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Client, credentials } from "@grpc/grpc-js";
import { backoffMs } from "../../services/kit/backoff.ts";
import { deadline, sleep } from "../../services/kit/deadlines.ts";
import { attribute } from "../../services/kit/telemetry/attributes.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";
import { identityOf, isAlive, type ProcessIdentity, processesWith, signalProcess } from "./process.ts";

export interface ReplicaSettings {
  /** `images-0`. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly socket: string;
  readonly log: Logger;
}

const WATCH_MS = 50;
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 35_000;
const STABLE_MS = 10_000;
const SURPLUS_LOOK_MS = 5_000;

/**
 * One process of a service: adopted if it runs already, else started in a session of its own, watched, and started again
 * with backoff when it dies. It outlives this object: only `stop` ends it.
 */
export class Replica {
  readonly #settings: ReplicaSettings;
  #identity: ProcessIdentity | undefined;

  constructor(settings: ReplicaSettings) {
    this.#settings = settings;
  }

  get name(): string {
    return this.#settings.name;
  }

  get socket(): string {
    return this.#settings.socket;
  }

  get pid(): number {
    return this.#identity?.pid ?? 0;
  }

  /**
   * Resolves when it serves. One of another build (its program lies elsewhere) is replaced: the new one serves before the
   * old one drains.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { log, name, program } = this.#settings;
    const [running, ...surplus] = await processesWith(this.#listenArgument);
    for (const extra of surplus) void end(extra.identity);
    if (running === undefined) {
      this.#spawn();
    } else if (running.args.includes(program)) {
      this.#identity = running.identity;
      log.info({ [attribute.service]: name, [attribute.pid]: running.identity.pid }, "service adopted");
    } else {
      return this.#replace(running.identity, signal);
    }
    await this.#untilServing(signal);
  }

  /** Restarts it whenever it dies, until the signal aborts. */
  async keep(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let since = performance.now();
    let lookAt = since + SURPLUS_LOOK_MS;
    while (!signal.aborted) {
      await sleep(WATCH_MS, signal).catch(() => {});
      if (performance.now() > lookAt) {
        await this.#endSurplus();
        lookAt = performance.now() + SURPLUS_LOOK_MS;
      }
      if (signal.aborted || (this.#identity !== undefined && isAlive(this.#identity))) continue;
      failures = performance.now() - since > STABLE_MS ? 1 : failures + 1;
      const { log, name } = this.#settings;
      log.warn(
        { [attribute.service]: name, [attribute.pid]: this.pid, "ctl.failures": failures },
        "service died, restarting",
      );
      if (failures > 1) await sleep(backoffMs(failures, 100, 5_000), signal).catch(() => {});
      if (signal.aborted) return;
      this.#spawn();
      since = performance.now();
    }
  }

  /** SIGTERM, then after the drain time SIGKILL. */
  async stop(): Promise<void> {
    const identity = this.#identity;
    if (identity !== undefined) await end(identity);
    await rm(this.#settings.socket, { force: true });
  }

  /**
   * A gateway that was killed in the moment of a spawn leaves a process that the next one could not see yet: two then
   * serve one name. Whose socket it is now is not known, so all end and `keep` starts a new one.
   */
  async #endSurplus(): Promise<void> {
    const { log, name } = this.#settings;
    const running = await processesWith(this.#listenArgument);
    if (running.length < 2) return;
    log.warn(
      { [attribute.service]: name, "ctl.processes": running.length },
      "several processes of one replica, all ended",
    );
    await Promise.all(running.map(({ identity }) => end(identity)));
  }

  hangUp(): void {
    if (this.#identity !== undefined) signalProcess(this.#identity, "SIGHUP");
  }

  isServing(signal: AbortSignal): Promise<boolean> {
    return isServing(this.#settings.socket, signal);
  }

  get #listenArgument(): string {
    return `--listen=unix:${this.#settings.socket}`;
  }

  #spawn(): void {
    const { program, args, env } = this.#settings;
    const child = spawn(process.execPath, [...NODE_FLAGS, program, this.#listenArgument, ...args], {
      env: { MALLOC_ARENA_MAX: MALLOC_ARENAS, ...env },
      detached: true, // a session of its own: it outlives the gateway
      stdio: ["ignore", "ignore", "inherit"],
    });
    child.on("error", () => {}); // seen as a process that is missing
    this.#identity = child.pid === undefined ? undefined : identityOf(child.pid);
    child.unref();
  }

  async #replace(old: ProcessIdentity, signal: AbortSignal): Promise<void> {
    const { log, name } = this.#settings;
    this.#spawn();
    await this.#untilServing(signal);
    log.info({ [attribute.service]: name, [attribute.pid]: this.pid }, "service upgraded, the old one drains");
    void end(old);
  }

  async #untilServing(signal: AbortSignal): Promise<void> {
    const { name, socket } = this.#settings;
    const ends = AbortSignal.any([signal, deadline(READY_TIMEOUT_MS, `start the ${name} service`)]);
    for (;;) {
      if (existsSync(socket) && (await isServing(socket, ends))) return;
      if (this.#identity === undefined || !isAlive(this.#identity)) {
        await sleep(200, ends); // it failed: its own log says why; wait for no longer than the deadline
        this.#spawn();
      }
      await sleep(10, ends);
    }
  }
}

/** Small heaps: four services and a gateway share the machine with what people run (measured in bench/memory). */
const MALLOC_ARENAS = "1"; // glibc would make one for each of the ten threads
const NODE_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--disable-warning=ExperimentalWarning"];

async function end(identity: ProcessIdentity): Promise<void> {
  signalProcess(identity, "SIGTERM");
  const ends = deadline(STOP_TIMEOUT_MS, "stop a service");
  while (isAlive(identity) && !ends.aborted) await sleep(10, ends).catch(() => {});
  signalProcess(identity, "SIGKILL");
}

const PROBE_TIMEOUT_MS = 1_000;
/** grpc.health.v1.HealthCheckResponse { status: SERVING } is field 1, varint 1. */
const SERVING = Buffer.from([8, 1]);

async function isServing(socket: string, signal: AbortSignal): Promise<boolean> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeUnaryRequest(
    "/grpc.health.v1.Health/Check",
    same,
    same,
    Buffer.alloc(0),
    { deadline: Date.now() + PROBE_TIMEOUT_MS },
    (error, response) => resolve(error === null && response !== undefined && SERVING.equals(response)),
  );
  const onAbort = () => call.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    client.close();
  }
}
