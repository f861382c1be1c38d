import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { OciSeccomp } from "./oci-config.ts";

const ANNOTATION = "run.oci.seccomp_bpf_data";
const MOST_FILTERS = 32;

/**
 * Seccomp filters that crun has compiled, by what they were compiled from. Compiling the default profile takes crun
 * 11 ms of each create's 18; handed back as an annotation the same program costs nothing. Kept for this process's life,
 * so a newer libseccomp compiles anew; the oldest goes when there are more than 32.
 */
export class CompiledFilters {
  readonly #programs = new Map<string, string>();
  /** Bundles written without a program, and what theirs will be the program of. */
  readonly #wanted = new Map<string, string>();

  /** Annotations for a bundle with this profile; none until crun has compiled it once, see `learn`. */
  annotationsFor(bundlePath: string, seccomp: OciSeccomp): Record<string, string> {
    const key = createHash("sha256").update(JSON.stringify(seccomp)).digest("base64");
    const program = this.#programs.get(key);
    if (program !== undefined) return { [ANNOTATION]: program };
    this.#wanted.set(bundlePath, key);
    return {};
  }

  /** crun has created a container from this bundle and left the program in its state directory. */
  async learn(bundlePath: string, programPath: string): Promise<void> {
    const key = this.#wanted.get(bundlePath);
    if (key === undefined) return;
    this.#wanted.delete(bundlePath);
    const program = await readFile(programPath).catch(() => undefined);
    if (program === undefined || program.length === 0) return;
    this.#programs.set(key, program.toString("base64"));
    for (const oldest of this.#programs.keys()) {
      if (this.#programs.size <= MOST_FILTERS) break;
      this.#programs.delete(oldest);
    }
  }

  /** The bundle's create has failed. */
  giveUp(bundlePath: string): void {
    this.#wanted.delete(bundlePath);
  }
}
