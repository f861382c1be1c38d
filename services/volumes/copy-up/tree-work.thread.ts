import { serveThread } from "../../kit/linux/thread-program.ts";
import { asSyscallError } from "../errno.ts";
import { createCopySyscalls } from "./syscalls.ts";
import { piecesOf, type TreeWorkOperations } from "./tree-work.ts";

const calls = createCopySyscalls();
const operations: TreeWorkOperations = {
  work: ({ cancelled, ...work }) => {
    try {
      for (const _ of piecesOf(work, calls)) {
        if (Atomics.load(cancelled, 0) !== 0) return;
      }
    } catch (error) {
      throw asSyscallError(error);
    }
  },
};
serveThread(operations);
