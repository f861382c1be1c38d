import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { ThreadBroken } from "../../kit/linux/thread-program.ts";
import type { UserMapping } from "../../kit/linux/user-mapping.ts";
import { besideUserNamespace } from "../../kit/linux/user-namespace.ts";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const MNT_DETACH = 2;
const ENOENT = 2;
const EINVAL = 22;
const OWN_NETNS = "/proc/thread-self/ns/net";

/**
 * Makes and enters network namespaces. Only for a thread that does nothing else: between leaving home and coming back
 * everything that it opens belongs to the other namespace (setns(2), network_namespaces(7)).
 */
export class Namespaces implements Disposable {
  readonly #unshare: (flags: number) => number;
  readonly #setns: (fd: number, type: number) => number;
  readonly #mount: (source: string, target: string, type: null, flags: number, data: null) => number;
  readonly #umount: (target: string, flags: number) => number;
  readonly #home: number;
  readonly #owner: UserMapping | undefined;

  /** `owner`: new namespaces belong to user namespaces of that mapping, one each; undefined: to the host's own. */
  constructor(owner?: UserMapping) {
    this.#owner = owner;
    const libc = loadLibc();
    this.#unshare = libc.func("int unshare(int)");
    this.#setns = libc.func("int setns(int, int)");
    this.#mount = libc.func("int mount(const char *, const char *, const char *, unsigned long, const void *)");
    this.#umount = libc.func("int umount2(const char *, int)");
    this.#home = openSync(OWN_NETNS, "r");
  }

  /**
   * A new namespace, kept alive by a bind mount at `path`, which must not exist: it outlives this process until
   * `remove`. `work` runs inside it and is handed its open file. On failure nothing is left. 0.5 ms (2 cores).
   */
  make<T>(path: string, work: (netnsFd: number) => T): T {
    writeFileSync(path, "", { flag: "wx", mode: 0o400 });
    try {
      if (this.#owner !== undefined) return this.#makeOwned(path, this.#owner, work);
      return this.#away(
        () => check(this.#unshare(CLONE_NEWNET), "unshare", "a network namespace"),
        () => {
          check(this.#mount(OWN_NETNS, path, null, MS_BIND, null), "mount", `a network namespace at ${path}`);
          return withFile(OWN_NETNS, work);
        },
      );
    } catch (error) {
      this.remove(path);
      throw error;
    }
  }

  /**
   * The kernel asks for whatever is done to a network namespace what the caller may do in the user namespace that it was
   * made in: only so the container's root may set its sysctls and mount its /sys. It lives as long as this one.
   */
  #makeOwned<T>(path: string, owner: UserMapping, work: (netnsFd: number) => T): T {
    besideUserNamespace(owner, { withNetwork: true }, (pid) => {
      check(this.#mount(`/proc/${pid}/ns/net`, path, null, MS_BIND, null), "mount", `a network namespace at ${path}`);
    });
    return this.enter(path, work);
  }

  /** Runs `work` inside the namespace at `path`, with its open file. 30 µs beside the work. */
  enter<T>(path: string, work: (netnsFd: number) => T): T {
    return withFile(path, (fd) =>
      this.#away(
        () => check(this.#setns(fd, CLONE_NEWNET), "setns", path),
        () => work(fd),
      ),
    );
  }

  /** Lets go of the namespace; the kernel takes it apart when its last process is gone. Nothing at `path` is no error. */
  remove(path: string): void {
    if (this.#umount(path, MNT_DETACH) !== 0) {
      const errno = lastErrno();
      if (errno === ENOENT) return;
      if (errno !== EINVAL) throw new SyscallError("umount", errno, path); // EINVAL: a file on which nothing is mounted
    }
    unlinkSync(path);
  }

  [Symbol.dispose](): void {
    closeSync(this.#home);
  }

  #away<T>(leave: () => void, work: () => T): T {
    leave();
    try {
      return work();
    } finally {
      if (this.#setns(this.#home, CLONE_NEWNET) !== 0) this.#lost();
    }
  }

  /** Going on would change the sandbox's network in place of the host's. */
  #lost(): never {
    throw new ThreadBroken("the thread cannot come back to the host's network namespace");
  }
}

function withFile<T>(path: string, work: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

function check(result: number, syscall: string, detail: string): void {
  if (result !== 0) throw new SyscallError(syscall, lastErrno(), detail);
}
