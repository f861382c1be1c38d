import type { Failure } from "../linux/thread-failure.ts";

export type ToThread =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  /** One more part may come. */
  | { readonly kind: "more" }
  /** The source failed or the caller left: let go of everything. */
  | { readonly kind: "stop" };

export type FromThread<Part> =
  | { readonly kind: "part"; readonly part: Part }
  /** A chunk was worked off. */
  | { readonly kind: "consumed" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Parts, and chunks, that are on their way at most. */
export const WINDOW = 8;
