import type { Database } from "../../kit/database.ts";
import { raceSignal, sleep } from "../../kit/deadlines.ts";
import { isCtlError } from "../../kit/errors.ts";
import type { Pidfds } from "../../kit/linux/pidfd.ts";
import type { ContainerPaths } from "../paths.ts";
import { parseSignal } from "../spec/signals.ts";
import { openProcess } from "../stop.ts";
import { type ContainerRow, containerById } from "../store/containers.ts";
import { AttachedStdin } from "./attach-stdin.ts";
import { recordResize } from "./resize.ts";
import { resizeTerminal } from "./terminal-size.ts";

/** What an attached client sends. */
export type ClientInput =
  | { readonly kind: "stdin"; readonly data: Buffer }
  | { readonly kind: "close-stdin" }
  | { readonly kind: "resize"; readonly rows: number; readonly columns: number }
  | { readonly kind: "signal"; readonly name: string }
  /** It leaves for good; the process goes on. */
  | { readonly kind: "detach" };

export interface InputDeps {
  readonly db: Database;
  readonly pidfds: Pidfds;
}

export interface InputTarget {
  readonly row: ContainerRow;
  readonly paths: ContainerPaths;
  readonly wantsStdin: boolean;
  /** Aborts when the run has ended: what was meant for it is then for nobody. */
  readonly over: AbortSignal;
}

const LOOK_MS = 5;

/**
 * Carries out what an attached client sends, until it half-closes, goes away, or the signal aborts. A client may send
 * before the container runs: its input waits for it. Leaving lets the container's stdin end, where it is to end so; a
 * client that detaches leaves it open: then the answer is true.
 */
export async function followInput(
  inputs: AsyncIterable<ClientInput>,
  target: InputTarget,
  deps: InputDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = AbortSignal.any([signal, target.over]);
  await using stdin = new LateStdin(target, wanted);
  for await (const input of untilAborted(inputs, signal)) {
    switch (input.kind) {
      case "stdin":
        if (target.wantsStdin) await stdin.write(input.data);
        break;
      case "close-stdin":
        if (target.wantsStdin) await stdin.end();
        break;
      case "resize":
        if (await resizeWhenUp(target, input, wanted)) await recordResize(deps.db, target.row, input);
        break;
      case "signal":
        await signalProcess(target.row.id, input.name, deps, wanted);
        break;
      case "detach":
        return true;
      default:
        input satisfies never;
    }
  }
  if (target.wantsStdin) await stdin.end();
  return false;
}

/** A client may keep its side open for as long as it likes; the container's end ends it here. */
async function* untilAborted(inputs: AsyncIterable<ClientInput>, signal: AbortSignal): AsyncGenerator<ClientInput> {
  const iterator = inputs[Symbol.asyncIterator]();
  while (!signal.aborted) {
    const { done, value } = await raceSignal(iterator.next(), signal, "follow a client's input");
    if (done === true) return;
    yield value;
  }
}

/** The container's stdin, opened when its monitor is there. */
class LateStdin implements AsyncDisposable {
  readonly #target: InputTarget;
  readonly #signal: AbortSignal;
  #opened: AttachedStdin | undefined;

  constructor(target: InputTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
  }

  async write(data: Buffer): Promise<void> {
    this.#opened ??= await this.#open();
    try {
      await this.#opened?.write(data, this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
  }

  async end(): Promise<void> {
    this.#opened ??= await this.#open();
    this.#opened?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened?.[Symbol.dispose]();
  }

  async #open(): Promise<AttachedStdin | undefined> {
    while (!this.#signal.aborted) {
      try {
        return AttachedStdin.open(this.#target.paths.bundle);
      } catch (error) {
        if (!isCtlError(error, "FAILED_PRECONDITION")) throw error;
        await sleep(LOOK_MS, this.#signal).catch(() => {});
      }
    }
    return undefined;
  }
}

async function resizeWhenUp(
  { paths }: InputTarget,
  size: { readonly rows: number; readonly columns: number },
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    if (await resizeTerminal(paths.bundle, size)) return true;
    await sleep(LOOK_MS, signal).catch(() => {});
  }
  return false;
}

/** A process writes before its row says that it runs: a client that signals it then means it all the same. */
async function signalProcess(id: string, name: string, deps: InputDeps, signal: AbortSignal): Promise<void> {
  const number = parseSignal(name);
  while (!signal.aborted) {
    const row = await containerById(deps.db, id);
    if (row === undefined) return;
    if (row.pid !== 0) {
      using handle = await openProcess(row, deps.pidfds);
      handle?.signal(number);
      return;
    }
    await sleep(LOOK_MS, signal).catch(() => {});
  }
}
