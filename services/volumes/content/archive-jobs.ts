import type { UserMapping } from "../../kit/linux/user-mapping.ts";

/** What an archive thread is asked to do with a volume's directory. All of it is copied from thread to thread. */
export type VolumeJob = {
  readonly path: string;
  /** Of containers with user namespaces: archives have the ids inside, the host the others. */
  readonly userMapping: UserMapping | undefined;
} & (
  | { readonly kind: "pack" }
  /** Device nodes are made, or refused. */
  | { readonly kind: "unpack"; readonly makesDevices: boolean }
);

/** What a job answers, piece by piece. */
export interface VolumePart {
  readonly kind: "data";
  readonly bytes: Uint8Array;
}
