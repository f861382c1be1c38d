import { write, writeSync } from "node:fs";

/** A file descriptor that the command writes to. Not process.stdout: that costs 6 ms of start in Bun. */
export class Output {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Writes all of it before it returns. For what is short and has nothing running beside it. Throws the system's error. */
  text(text: string): void {
    let rest = Buffer.from(text);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }

  /** Resolves once the reader's pipe has taken all of it; signals and input go on meanwhile. */
  async stream(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(await this.#write(rest));
  }

  async isTerminal(): Promise<boolean> {
    const { isatty } = await import("node:tty");
    return isatty(this.#fd);
  }

  /** Columns of the terminal; 80 where it does not say. */
  columns(): number {
    return (this.#fd === 2 ? process.stderr : process.stdout).columns ?? 80;
  }

  #write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    write(this.#fd, bytes, (error, count) => {
      if (error === null) resolve(count);
      // a terminal or pipe that somebody else made non-blocking
      else if (error.code === "EAGAIN") setTimeout(() => resolve(0), 5);
      else reject(error);
    });
    return promise;
  }
}
