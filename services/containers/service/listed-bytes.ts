const MOST_CONTAINERS = 5_000;

/** Bytes of listed containers by the version of their rows: a list makes anew only what has changed. */
export class ListedBytes {
  readonly #known = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>();

  /** Undefined: not known, or of another version. */
  find(id: string, version: string): Uint8Array | undefined {
    const known = this.#known.get(id);
    return known?.version === version ? known.bytes : undefined;
  }

  /** The one that was kept first goes when there are too many; what is gone from the rows goes so too. */
  keep(id: string, version: string, bytes: Uint8Array): void {
    const [first] = this.#known.keys();
    if (this.#known.size >= MOST_CONTAINERS && first !== undefined && !this.#known.has(id)) this.#known.delete(first);
    this.#known.set(id, { version, bytes });
  }
}
