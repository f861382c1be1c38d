import { parentPort } from "node:worker_threads";
import { CtlError, type ErrorCode } from "../errors.ts";
import { SyscallError } from "./libc.ts";

/** What a thread does on request: synchronous functions of one argument, which is cloned on its way, as is the answer. */
export type ThreadOperations = Readonly<Record<string, (request: never) => unknown>>;

export interface ThreadRequest {
  readonly id: number;
  readonly operation: string;
  readonly request: unknown;
}

/** An error's class does not survive the way between threads, so it travels as its parts. */
export type ThreadReply =
  | { readonly id: number; readonly kind: "result"; readonly result: unknown }
  | { readonly id: number; readonly kind: "syscall"; readonly syscall: string; readonly errno: number; detail: string }
  | { readonly id: number; readonly kind: "ctl"; readonly code: ErrorCode; readonly reason: string; facts: CtlFacts }
  | { readonly id: number; readonly kind: "bug"; readonly error: unknown };

interface CtlFacts {
  readonly what: string;
  readonly why: string;
}

/** The thread is in a state in which it must not go on: answered, then thrown, which ends the thread. */
export class ThreadBroken extends Error {
  override readonly name = "ThreadBroken";
}

/** Answers requests, one after the other, until the thread's owner ends it. The last statement of a thread's program. */
export function serveThread(operations: ThreadOperations): void {
  const port = parentPort;
  if (port === null) throw new Error("this program runs as a worker thread only");
  const byName = new Map<string, (request: never) => unknown>(Object.entries(operations));
  port.on("message", ({ id, operation, request }: ThreadRequest) => {
    try {
      const work = byName.get(operation);
      if (work === undefined) throw new Error(`this thread has no operation called ${operation}`);
      port.postMessage({ id, kind: "result", result: work(request as never) } satisfies ThreadReply);
    } catch (error) {
      port.postMessage(failureReply(id, error));
      if (error instanceof ThreadBroken) throw error;
    }
  });
  port.postMessage({ id: 0, kind: "result", result: undefined } satisfies ThreadReply);
}

function failureReply(id: number, error: unknown): ThreadReply {
  if (error instanceof SyscallError) {
    const { syscall, errno, errnoName, message } = error;
    // SyscallError writes "SYSCALL DETAIL: ERRNO"; the other side makes it anew from its parts
    return { id, kind: "syscall", syscall, errno, detail: message.slice(syscall.length + 1, -errnoName.length - 2) };
  }
  if (error instanceof CtlError) {
    const { code, reason, what, why } = error;
    return { id, kind: "ctl", code, reason, facts: { what, why } };
  }
  return { id, kind: "bug", error };
}
