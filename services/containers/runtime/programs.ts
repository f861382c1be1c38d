import { closeSync, openSync } from "node:fs";
import type { Socket } from "node:net";
import { abortError } from "../../kit/deadlines.ts";
import { bindPipe, closeEnds, type PipeEnds, pipeReader } from "../../kit/linux/pipe.ts";
import { bindSpawns, type SpawnRequest, type Spawns } from "../../kit/linux/spawn.ts";

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const KEPT_OUTPUT_BYTES = 64 * 1024;
const SIGKILL = 9;
const REAP_LOOK_MS = 1;

export interface Program {
  readonly path: string;
  /** Without argv[0]. */
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: readonly string[];
}

export interface ProgramResult {
  readonly exitCode: number;
  /** Standard output and error as they came, the first 64 KiB. */
  readonly output: string;
}

/** Starts a program where the host thread stands. */
export type Spawn = (request: SpawnRequest) => Promise<number>;

/** A child of ours: reap it in the end. */
export interface Child {
  readonly pid: number;
  kill(signal: number): void;
  /** Its exit code, once it has ended; call it when its output has. */
  reaped(): Promise<number>;
}

/**
 * The runtime's and the monitor's programs: started from the host thread in 0.2 ms, watched by the end of a pipe, and
 * reaped here. Owns a descriptor of /dev/null.
 */
export class Programs implements Disposable {
  readonly #spawn: Spawn;
  readonly #spawns: Spawns = bindSpawns();
  readonly #pipe = bindPipe();
  readonly #null = openSync("/dev/null", "r+");

  constructor(spawn: Spawn) {
    this.#spawn = spawn;
  }

  /** /dev/null, for a child's descriptor. */
  get nullFd(): number {
    return this.#null;
  }

  makePipe(): PipeEnds {
    return this.#pipe();
  }

  /** Runs to its end; killed when the signal aborts. A non-zero exit is a result. */
  async run(program: Program, signal: AbortSignal): Promise<ProgramResult> {
    const pipe = this.#pipe();
    const { child, reader } = await this.#startWith(program, pipe, [this.#null, pipe.write, pipe.write]);
    const onAbort = () => child.kill(SIGKILL);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const output = await readBounded(reader);
      const exitCode = await child.reaped();
      if (signal.aborted) throw abortError(signal, `run ${program.path}`);
      return { exitCode, output };
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Starts it with these descriptors, which stay the caller's. */
  async start(program: Program, fds: readonly number[]): Promise<Child> {
    const { path, args, cwd = "/", env = [PATH] } = program;
    const pid = await this.#spawn({ path, args: [path, ...args], cwd, env, fds });
    let exitCode: number | undefined;
    const look = () => {
      exitCode ??= this.#spawns.reap(pid);
      return exitCode;
    };
    return {
      pid,
      // until it is reaped the pid is its own
      kill: (number) => {
        if (look() === undefined) process.kill(pid, number);
      },
      reaped: async () => {
        for (;;) {
          const code = look();
          if (code !== undefined) return code;
          await new Promise((resolve) => setTimeout(resolve, REAP_LOOK_MS));
        }
      },
    };
  }

  [Symbol.dispose](): void {
    closeSync(this.#null);
  }

  async #startWith(program: Program, pipe: PipeEnds, fds: readonly number[]) {
    try {
      const child = await this.start(program, fds);
      closeSync(pipe.write);
      return { child, reader: pipeReader(pipe.read) };
    } catch (error) {
      closeEnds(pipe);
      throw error;
    }
  }
}

async function readBounded(reader: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reader as AsyncIterable<Buffer>) {
    if (size < KEPT_OUTPUT_BYTES) chunks.push(chunk.subarray(0, KEPT_OUTPUT_BYTES - size));
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString("utf8");
}
