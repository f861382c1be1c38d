/** A run of ids of a user namespace and what they are on the host: an entry of the OCI specification's mappings. */
export interface IdRange {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** What users and groups of a user namespace are on the host, see user_namespaces(7). */
export interface UserMapping {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** What the kernel shows, inside and outside, for an id that has no counterpart. */
export const OVERFLOW_ID = 65_534;

/** The host's id of one inside; undefined: there is none. */
export function hostId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range === undefined ? undefined : range.hostID + id - range.containerID;
}

/** The id inside of one of the host; what is not mapped is the overflow id, as for whoever looks from inside. */
export function containerId(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return range === undefined ? OVERFLOW_ID : range.containerID + id - range.hostID;
}

/** Who root inside is on the host. */
export function hostRoot({ uids, gids }: UserMapping): { readonly uid: number; readonly gid: number } {
  return { uid: hostId(uids, 0) ?? OVERFLOW_ID, gid: hostId(gids, 0) ?? OVERFLOW_ID };
}

export function isSameMapping(one: UserMapping | undefined, other: UserMapping | undefined): boolean {
  const text = (mapping: UserMapping | undefined) => JSON.stringify([mapping?.uids.map(row), mapping?.gids.map(row)]);
  return text(one) === text(other);
}

/** As /proc/PID/uid_map takes it. */
export function mapText(ranges: readonly IdRange[]): string {
  return ranges.map((range) => `${row(range).join(" ")}\n`).join("");
}

function row({ containerID, hostID, size }: IdRange): number[] {
  return [containerID, hostID, size];
}
