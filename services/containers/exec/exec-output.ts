import type { Socket } from "node:net";
import type { OutputStream } from "../logs/record.ts";
import type { ExecSession } from "./exec.ts";
import { piecesOf } from "./exec-streams.ts";

export interface ExecPiece {
  readonly stream: OutputStream;
  readonly data: Buffer;
}

interface Source {
  readonly stream: OutputStream;
  readonly pieces: AsyncIterator<Buffer>;
}

/** Both streams as they come, each no faster than it is taken; a terminal's is all stdout. */
export async function* execOutput({ stdout, stderr }: ExecSession): AsyncGenerator<ExecPiece> {
  const sources = [sourceOf("stdout", stdout), ...(stderr === undefined ? [] : [sourceOf("stderr", stderr)])];
  const open = new Map(sources.map((source) => [source, nextOf(source)]));
  while (open.size > 0) {
    const { source, done, value } = await Promise.race(open.values());
    if (done === true) {
      open.delete(source);
    } else {
      open.set(source, nextOf(source));
      yield { stream: source.stream, data: value };
    }
  }
}

function sourceOf(stream: OutputStream, socket: Socket): Source {
  return { stream, pieces: piecesOf(socket) };
}

async function nextOf(source: Source) {
  const { done, value } = await source.pieces.next();
  return { source, done, value };
}
