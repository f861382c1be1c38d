import { Socket } from "node:net";
import { Descriptor } from "./descriptor.ts";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

const O_CLOEXEC = 0o2000000;

/** Pipes between the event loop and a child. The child's end is to be disposed once the child has it. */
export interface Pipes {
  /** What a child writes; its death shows as the end. */
  fromChild(): { readonly reader: Socket; readonly childEnd: Descriptor };
  /** What a child reads; ending the writer is its end of file. */
  toChild(): { readonly writer: Socket; readonly childEnd: Descriptor };
}

export function bindPipes(): Pipes {
  const pipe2 = loadLibc().func("int pipe2(void *, int)");
  const makePipe = () => {
    const fds = Buffer.alloc(8);
    if (pipe2(fds, O_CLOEXEC) !== 0) throw new SyscallError("pipe2", lastErrno(), "");
    return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
  };
  return {
    fromChild: () => {
      const { read, write } = makePipe();
      return { reader: pipeReader(read), childEnd: new Descriptor(write) };
    },
    toChild: () => {
      const { read, write } = makePipe();
      return { writer: pipeWriter(write), childEnd: new Descriptor(read) };
    },
  };
}

/** A pipe's or FIFO's read end as a stream of the event loop, which from now on owns it: destroying it closes it. */
export function pipeReader(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false });
}

function pipeWriter(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}
