import { closeSync } from "node:fs";

/** A file descriptor with an owner; disposing it twice closes it once. */
export class Descriptor implements Disposable {
  readonly fd: number;
  #isOpen = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }
}
