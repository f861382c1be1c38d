import { parentPort } from "node:worker_threads";
import { SyscallError } from "../../kit/linux/libc.ts";

/** What a thread does on request: synchronous functions of one argument, which is cloned on its way. */
export type ThreadOperations = Readonly<Record<string, (request: never) => unknown>>;

export interface ThreadRequest {
  readonly id: number;
  readonly operation: string;
  readonly request: unknown;
}

/** An error's class does not survive the way between threads, so what callers ask about travels as fields. */
export type ThreadReply =
  | { readonly id: number; readonly kind: "result"; readonly result: unknown }
  | { readonly id: number; readonly kind: "syscall"; readonly syscall: string; readonly errno: number; detail: string }
  | { readonly id: number; readonly kind: "bug"; readonly error: unknown };

/** The thread is in a state in which it must not go on: answered, then thrown, which ends the thread. */
export class ThreadBroken extends Error {
  override readonly name = "ThreadBroken";
}

/** Answers the requests that come to this thread, one after the other, until its owner ends it. */
export function serve(operations: ThreadOperations): void {
  const port = parentPort;
  if (port === null) throw new ThreadBroken("this program runs as a worker thread only");
  const byName = new Map<string, (request: never) => unknown>(Object.entries(operations));
  port.on("message", ({ id, operation, request }: ThreadRequest) => {
    try {
      const work = byName.get(operation);
      if (work === undefined) throw new ThreadBroken(`no operation is called ${operation}`);
      port.postMessage({ id, kind: "result", result: work(request as never) } satisfies ThreadReply);
    } catch (error) {
      port.postMessage(failureReply(id, error));
      if (error instanceof ThreadBroken) throw error;
    }
  });
  port.postMessage({ id: 0, kind: "result", result: undefined } satisfies ThreadReply);
}

function failureReply(id: number, error: unknown): ThreadReply {
  if (!(error instanceof SyscallError)) return { id, kind: "bug", error };
  const { syscall, errno, errnoName, message } = error;
  // SyscallError writes "SYSCALL DETAIL: ERRNO"; the other side makes it anew from its parts
  return { id, kind: "syscall", syscall, errno, detail: message.slice(syscall.length + 1, -errnoName.length - 2) };
}
