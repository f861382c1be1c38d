import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";

/** How old an answer may be: a change is followed within this time by containers that run. */
const LOOK_MS = 1_000;

/**
 * The host's resolvers, those on its loopback included, since questions leave from the host's own network. The file is
 * looked at when somebody asks, at most once a second.
 */
export class HostResolverFile {
  readonly #path: string;
  #servers: readonly string[] = [];
  #state = "";
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(path = "/etc/resolv.conf") {
    this.#path = path;
  }

  /** Empty: the file names none, or is not there. */
  async current(): Promise<readonly string[]> {
    if (performance.now() - this.#lookedAt < LOOK_MS) return this.#servers;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
    return this.#servers;
  }

  async #look(): Promise<void> {
    const state = await stat(this.#path).then(
      ({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`,
      () => "none",
    );
    this.#lookedAt = performance.now();
    if (state === this.#state) return;
    const text = await readFile(this.#path, "utf8").catch(() => "");
    this.#state = state;
    this.#servers = resolversIn(text);
  }
}

/** See resolv.conf(5); an IPv6 address may have its zone behind it. */
export function resolversIn(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const server = /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? "";
    return isIP(server.split("%")[0] ?? "") === 0 ? [] : [server];
  });
}
