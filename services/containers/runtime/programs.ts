import { openSync } from "node:fs";
import type { Socket } from "node:net";
import { abortError } from "../../kit/deadlines.ts";
import { Descriptor } from "../../kit/linux/descriptor.ts";
import { bindPipes, type Pipes } from "../../kit/linux/pipe.ts";
import { bindSpawns, type SpawnRequest } from "../../kit/linux/spawn.ts";

const ENV = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
const KEPT_OUTPUT_BYTES = 64 * 1024;
const SIGKILL = 9;
const REAP_LOOK_MS = 1;

export interface Program {
  readonly path: string;
  /** Without argv[0]. */
  readonly args: readonly string[];
  /** `/` when left out. */
  readonly cwd?: string;
  /** Beside a PATH. */
  readonly env?: readonly string[];
}

export interface ProgramResult {
  readonly exitCode: number;
  /** Standard output and error as they came, the first 64 KiB. */
  readonly output: string;
}

/** A child of ours: reap it in the end, else it stays as a zombie. */
export interface Child {
  readonly pid: number;
  kill(signal: number): void;
  /** Its exit code (128 + N for signal N), seen within a millisecond or two. Call it when it is about to end. */
  reaped(): Promise<number>;
}

/**
 * The monitor's and the runtime's programs: started from the host thread in 0.2 ms, their end seen as the end of a
 * pipe, and reaped here.
 */
export class Programs implements Disposable {
  readonly pipes: Pipes = bindPipes();
  /** /dev/null */
  readonly nothing = new Descriptor(openSync("/dev/null", "r+"));
  readonly #spawn: (request: SpawnRequest) => Promise<number>;
  readonly #reap = bindSpawns().reap;

  /** `spawn` starts a program where the host thread stands. */
  constructor(spawn: (request: SpawnRequest) => Promise<number>) {
    this.#spawn = spawn;
  }

  /** Runs to its end; killed when the signal aborts. A non-zero exit is a result. */
  async run(program: Program, signal: AbortSignal): Promise<ProgramResult> {
    const { reader, childEnd } = this.pipes.fromChild();
    const child = await this.start(program, [this.nothing.fd, childEnd.fd, childEnd.fd]).finally(() =>
      childEnd[Symbol.dispose](),
    );
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

  /** Starts it with these descriptors as its 0, 1, 2, …; they stay the caller's. */
  async start({ path, args, cwd = "/", env = [] }: Program, fds: readonly number[]): Promise<Child> {
    const pid = await this.#spawn({ path, args: [path, ...args], cwd, env: [...ENV, ...env], fds });
    let exitCode: number | undefined;
    const look = () => {
      exitCode ??= this.#reap(pid);
      return exitCode;
    };
    return {
      pid,
      kill: (signal) => {
        // until it is reaped the pid is its own
        if (look() === undefined) process.kill(pid, signal);
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
    this.nothing[Symbol.dispose]();
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
