import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

const O_CLOEXEC = 0o2000000;

/** Both ends, close-on-exec. Each end belongs to whoever takes it: close it, or give it to a Socket, which does. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
}

/** pipe2(2): what a child writes to after we closed our copy of its end shows its death as the end of the stream. */
export function bindPipe(): () => PipeEnds {
  const pipe2 = loadLibc().func("int pipe2(void *, int)");
  return () => {
    const fds = Buffer.alloc(8);
    if (pipe2(fds, O_CLOEXEC) !== 0) throw new SyscallError("pipe2", lastErrno(), "");
    return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
  };
}

/** A pipe's read end as a stream of the event loop; destroying it closes the descriptor. */
export function pipeReader(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false });
}

export function pipeWriter(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

export function closeEnds(ends: PipeEnds): void {
  closeSync(ends.read);
  closeSync(ends.write);
}
