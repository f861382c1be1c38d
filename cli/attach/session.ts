import {
  type AttachStarted,
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
  | { readonly $case: "signal"; readonly value: string }
  /** We leave for good: we have all of it, or the process goes on without us. */
  | { readonly $case: "detach"; readonly value: boolean };

/** What comes out of it: `attached` or `started` first, `exit` last. */
export type SessionEvent =
  | { readonly $case: "attached"; readonly value: AttachStarted }
  | { readonly $case: "started" }
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

/** How long the daemon has to end a stream that we leave. */
const LEAVE_MS = 2_000;

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
  #opened = Promise.withResolvers<void>();
  #position: OutputPosition | undefined;
  #isReady = false;
  #isDetached = false;
  #isOver = false;
  #isStdinClosed = false;

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

  /**
   * Resolves when it has left, or when there is nothing any more that would take it. While the stream is broken it waits
   * for the next one.
   */
  async send(input: SessionInput): Promise<void> {
    if (input.$case === "closeStdin") this.#isStdinClosed = true;
    while (this.#call === undefined && !this.#isOver) await this.#opened.promise;
    await this.#call?.send(input);
  }

  /** Leaves the process running. */
  detach(): void {
    this.#isDetached = true;
    this.#leave();
  }

  async #follow(): Promise<ExitStatus | "detached"> {
    let exit: ExitStatus | undefined;
    try {
      await reconnecting(
        (error) => !this.#isDetached && this.#options.mayReopen(error),
        async () => {
          exit = await this.#attempt();
        },
      );
    } finally {
      this.#isOver = true;
      this.#opened.resolve();
    }
    if (this.#isDetached || exit === undefined) return "detached";
    return exit;
  }

  async #attempt(): Promise<ExitStatus | undefined> {
    let exit: ExitStatus | undefined;
    try {
      const call = await this.#options.open(this.#position);
      if (this.#isStdinClosed) await call.send({ $case: "closeStdin", value: true });
      this.#call = call;
      this.#opened.resolve();
      for await (const event of call.events) {
        if (event.$case === "output") await this.#write(event.value);
        else if (event.$case === "exit") {
          exit = event.value;
          this.#leave();
        } else this.#setReady(event.$case === "attached" ? event.value.position : undefined);
      }
    } catch (error) {
      if (exit !== undefined) return exit;
      // the process ended while the stream was broken: the answer to the next attempt is that nothing runs
      const isEnded = this.#isReady && isCtlError(error, "FAILED_PRECONDITION", "NOT_FOUND");
      exit = isEnded ? await this.#options.exitStatus() : undefined;
      if (exit === undefined && !this.#isDetached) throw error;
    } finally {
      this.#call = undefined;
      this.#opened = Promise.withResolvers();
    }
    return exit;
  }

  /** The daemon ends the stream when it has heard that; cancelling it at once could overtake the word. */
  #leave(): void {
    const call = this.#call;
    if (call === undefined) return;
    void call.send({ $case: "detach", value: true });
    setTimeout(() => call.cancel(), LEAVE_MS).unref();
  }

  #setReady(position: OutputPosition | undefined): void {
    this.#position ??= position;
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
