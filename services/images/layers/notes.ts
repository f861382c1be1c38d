import type { FileTime } from "../../kit/linux/file-calls.ts";
import type { BytePath } from "../../kit/tar/entry.ts";

/** A hard link whose target this layer does not hold: a lower one should. Paths are below the layer's root. */
export interface MissingLinkTarget {
  readonly path: BytePath;
  readonly target: BytePath;
}

/**
 * What is remembered of a layer while it is extracted: by path with its symlinks resolved. What replaces an entry
 * makes forgotten what was noted of it and below it.
 */
export class LayerNotes {
  /** Directories that no entry of the archive describes. */
  readonly implied = new Set<BytePath>();
  readonly whiteouts = new Set<BytePath>();
  readonly missingLinks = new Map<BytePath, BytePath>();
  /** Set at the end: every file that is made in a directory changes its time. */
  readonly directoryTimes = new Map<BytePath, FileTime>();

  forget(path: BytePath): void {
    for (const notes of [this.implied, this.whiteouts, this.missingLinks, this.directoryTimes]) notes.delete(path);
  }

  forgetTree(path: BytePath): void {
    const below = `${path}/`;
    for (const notes of [this.implied, this.whiteouts, this.missingLinks, this.directoryTimes]) {
      for (const key of notes.keys()) if (key === path || key.startsWith(below)) notes.delete(key);
    }
  }
}
