import type { Socket } from "node:net";
import type { Descriptor } from "../../kit/linux/descriptor.ts";
import { bindPtys, type TerminalSize } from "../../kit/linux/pty.ts";
import type { Programs } from "../runtime/programs.ts";

/** The input of a process that is executed. */
export interface ExecInput {
  /** Resolves when it has left, or when the process does not take it any more. Rejects when the signal aborts. */
  write(data: Buffer, signal: AbortSignal): Promise<void>;
  /** End of input; a terminal has none, its reader decides by what is typed. */
  end(): void;
}

/** What a process that is executed for a client is connected to: pipes, or one terminal. */
export interface ExecStreams {
  /** The runtime's 0, 1 and 2; the owners of `owned` are disposed when it has them. */
  readonly childEnds: readonly Descriptor[];
  readonly owned: readonly Descriptor[];
  readonly stdin: ExecInput | undefined;
  readonly stdout: Socket;
  /** Undefined: a terminal has one output. */
  readonly stderr: Socket | undefined;
  destroy(): void;
}

/** Exact bytes, apart by stream. */
export function pipeStreams(programs: Programs, hasStdin: boolean): ExecStreams {
  const input = hasStdin ? programs.pipes.toChild() : undefined;
  const out = programs.pipes.fromChild();
  const err = programs.pipes.fromChild();
  // a client's input may come when nobody reads it any more
  input?.writer.on("error", () => {});
  return {
    childEnds: [input?.childEnd ?? programs.nothing, out.childEnd, err.childEnd],
    owned: [...(input === undefined ? [] : [input.childEnd]), out.childEnd, err.childEnd],
    stdin:
      input === undefined ? undefined : { write: (data) => writeTo(input.writer, data), end: () => input.writer.end() },
    stdout: out.reader,
    stderr: err.reader,
    destroy: () => {
      for (const stream of [input?.writer, out.reader, err.reader]) stream?.destroy();
    },
  };
}

/**
 * A pseudo-terminal of the host's between us and the runtime, which copies between it and the one that it makes in the
 * container, as they do for a caller who has a terminal. (A console socket would give us that one itself, but runc takes
 * none for an exec that it waits for. runc also makes the line ends on ours: a program that has switched its terminal to
 * raw gets a carriage return more with each newline.)
 */
export function terminalStreams(hasStdin: boolean, size: TerminalSize | undefined): ExecStreams {
  const pty = bindPtys()(size);
  const { childEnd, reader } = pty;
  return {
    childEnds: [childEnd, childEnd, childEnd],
    owned: [childEnd],
    stdin: hasStdin ? { write: (data, signal) => pty.write(data, signal), end: () => {} } : undefined,
    stdout: reader,
    stderr: undefined,
    destroy: () => pty[Symbol.dispose](),
  };
}

/** The pieces as they come; a terminal's end is EIO. */
export async function* piecesOf(stream: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) yield piece;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EIO")) throw error;
  }
}

async function writeTo(writer: Socket, data: Buffer): Promise<void> {
  if (writer.destroyed || writer.write(data)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  writer.once("drain", resolve);
  writer.once("close", resolve);
  await promise;
  writer.off("drain", resolve);
  writer.off("close", resolve);
}
