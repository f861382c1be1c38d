import { join } from "node:path";
import { directorySizeBytes } from "../../kit/directory-size.ts";
import { containerPaths } from "../paths.ts";
import { rootfsDirectories } from "./overlay.ts";

export interface Sized {
  readonly id: string;
  readonly layers: readonly string[];
  readonly layers_directory: string;
}

export interface ContainerSize {
  /** What it has written. */
  readonly sizeRwBytes: number;
  /** That and its image. */
  readonly sizeRootBytes: number;
}

const MOST_LAYERS = 2_000;

/** What containers weigh, by walking. A layer never changes, so each is walked once; the oldest known is forgotten first. */
export class ContainerSizes {
  readonly #root: string;
  readonly #layers = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  async of({ id, layers, layers_directory: directory }: Sized, signal: AbortSignal): Promise<ContainerSize> {
    const { upper } = rootfsDirectories(containerPaths(this.#root, id).bundle);
    const sizeRwBytes = await directorySizeBytes(upper, signal);
    let sizeRootBytes = sizeRwBytes;
    for (const layer of layers) sizeRootBytes += await this.#layer(join(directory, layer), signal);
    return { sizeRwBytes, sizeRootBytes };
  }

  async #layer(path: string, signal: AbortSignal): Promise<number> {
    const known = this.#layers.get(path);
    if (known !== undefined) return known;
    const bytes = await directorySizeBytes(path, signal);
    const [oldest] = this.#layers.keys();
    if (this.#layers.size >= MOST_LAYERS && oldest !== undefined) this.#layers.delete(oldest);
    this.#layers.set(path, bytes);
    return bytes;
  }
}
