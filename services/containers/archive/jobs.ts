import type { UserMapping } from "../../kit/linux/user-mapping.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { OwnerShift } from "../rootfs/overlay.ts";

/** What an archive thread is asked to do, in which view of a container. All of it is copied from thread to thread. */
export interface ArchiveJob {
  readonly view: View;
  readonly task: Task;
  /** Of a container with a user namespace: archives have the ids inside, the host the others. */
  readonly userMapping?: UserMapping | undefined;
}

/**
 * `keepsKinds`: a file never replaces a directory, nor the other way round. `user`: whom all that is made belongs to, by the
 * container's own /etc/passwd; empty: whom the archive says.
 */
export type Task =
  | { readonly kind: "stat"; readonly path: BytePath }
  | { readonly kind: "read"; readonly path: BytePath; readonly followLink: boolean }
  | { readonly kind: "write"; readonly path: BytePath; readonly keepsKinds: boolean; readonly user: string }
  | { readonly kind: "export" }
  | { readonly kind: "changes"; readonly ignored: readonly BytePath[] };

export type View =
  /** What a running container's first process sees. */
  | { readonly kind: "process"; readonly pid: number; readonly startTicks: number }
  /** A root that is mounted on the host, without what the container mounts in it. */
  | { readonly kind: "mounted"; readonly path: string }
  /** A container that does not run: its root and what it mounts, in a mount namespace that ends with the thread. */
  | OverlayView;

export interface OverlayView {
  readonly kind: "overlay";
  readonly directories: {
    readonly bundle: string;
    readonly upper: string;
    readonly work: string;
    readonly merged: string;
  };
  /** From the base upwards, relative to `layersDirectory`. */
  readonly layers: readonly string[];
  readonly layersDirectory: string;
  /**
   * The writable layer: `shown` beneath a layer that is thrown away, so that a start beside it is not in the way; `written`
   * by the call itself, which nothing else may mount meanwhile; `left-out`: the image alone.
   */
  readonly upperLayer: "shown" | "written" | "left-out";
  /** Undefined: files belong to whom the layers say. */
  readonly shift: Pick<OwnerShift, "usernsFd" | "root"> | undefined;
  readonly isReadOnly: boolean;
  readonly mounts: readonly ViewMount[];
}

export interface ViewMount {
  /** On the host. */
  readonly source: string;
  readonly target: BytePath;
  readonly isReadOnly: boolean;
}

export interface PathStat {
  readonly name: string;
  readonly sizeBytes: number;
  /** st_mode. */
  readonly mode: number;
  readonly modifiedNs: bigint;
  /** Of a symlink, in the container; else empty. */
  readonly linkTarget: string;
}

export interface PathChange {
  readonly kind: "modified" | "added" | "deleted";
  readonly path: string;
}

/** What a task answers, piece by piece. */
export type Part =
  | { readonly kind: "stat"; readonly stat: PathStat }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "changes"; readonly changes: readonly PathChange[] };
