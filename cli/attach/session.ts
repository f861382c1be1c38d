import {
  type ExitStatus,
  type OutputFrame,
  type OutputPosition,
  OutputStream,
} from "#proto/ctl/containers/v1/containers.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import type { Output } from "../output/output.ts";
import { reconnecting } from "../reconnect.ts";

/** What goes into a container's process; Attach and Exec take the same. */
export type SessionInput =
  | { readonly $case: "stdin"; readonly value: Buffer }
  | { readonly $case: "closeStdin"; readonly value: boolean }
  | { readonly $case: "resize"; readonly value: { readonly rows: number; readonly columns: number } }
  | { readonly $case: "signal"; readonly value: string };

/** What comes out of it: `attached` or `started` first, `exit` last. */
export type SessionEvent =
  | { readonly $case: "attached" | "started" }
  | { readonly $case: "output"; readonly value: OutputFrame }
  | { readonly $case: "exit"; readonly value: ExitStatus };

/** One Attach or Exec stream whose `open` has been sent. */
export interface SessionCall {
  send(input: SessionInput): Promise<void>;
  cancel(): void;
  readonly events: AsyncIterable<SessionEvent>;
}

export interface SessionOptions {
  /** Makes the stream; after a break again, with the position that was reached. */
  open(position: OutputPosition | undefined): Promise<SessionCall>;
  readonly stdout: Output | undefined;
  readonly stderr: Output | undefined;
  /** Called with every piece of output, before it is written. */
  readonly onOutput?: () => void;
  /** Whether a failed stream may be opened again. */
  mayReopen(error: unknown): boolean;
  /** How the process ended, when it did so while the stream was broken. Undefined: nobody knows any more. */
  exitStatus(): Promise<ExitStatus | undefined>;
}

/**
 * A process's output on ours until it ends, at the pace of whoever reads ours. When the stream breaks because a part
 * of the daemon restarts, it goes on where it was.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #ready = Promise.withResolvers<void>();
  /** How it ended; rejects with what the daemon or our own output failed with. */
  readonly ended: Promise<ExitStatus | "detached">;
  #call: SessionCall | undefined;
  #position: OutputPosition | undefined;
  #isReady = false;
  #isDetached = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.ended = this.#follow();
    this.ended.catch((error: unknown) => this.#ready.reject(error));
    this.#ready.promise.catch(() => {}); // told by `ended` as well
  }

  /** Resolves when the daemon says that nothing of the output will be missed. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when it has left, or when there is nothing any more that would take it. */
  async send(input: SessionInput): Promise<void> {
    await this.#call?.send(input);
  }

  /** Leaves the process running. */
  detach(): void {
    this.#isDetached = true;
    this.#call?.cancel();
  }

  async #follow(): Promise<ExitStatus | "detached"> {
    let exit: ExitStatus | undefined;
    await reconnecting(
      (error) => !this.#isDetached && this.#options.mayReopen(error),
      async () => {
        exit = await this.#attempt();
      },
    );
    if (this.#isDetached || exit === undefined) return "detached";
    return exit;
  }

  async #attempt(): Promise<ExitStatus | undefined> {
    let exit: ExitStatus | undefined;
    try {
      this.#call = await this.#options.open(this.#position);
      for await (const event of this.#call.events) {
        if (event.$case === "output") await this.#write(event.value);
        else if (event.$case === "exit") exit = event.value;
        else this.#setReady();
      }
    } catch (error) {
      // the process ended while the stream was broken: the answer to the next attempt is that nothing runs
      const isEnded = this.#isReady && isCtlError(error, "FAILED_PRECONDITION", "NOT_FOUND");
      exit = isEnded ? await this.#options.exitStatus() : undefined;
      if (exit === undefined && !this.#isDetached) throw error;
    }
    return exit;
  }

  #setReady(): void {
    this.#isReady = true;
    this.#ready.resolve();
  }

  async #write({ stream, data, position }: OutputFrame): Promise<void> {
    this.#options.onOutput?.();
    const output = stream === OutputStream.STDERR ? this.#options.stderr : this.#options.stdout;
    await output?.stream(data);
    this.#position = position;
  }
}
