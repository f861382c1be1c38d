/** Go encodes a nil list or map as null and leaves out what is marked `omitempty`; clients tell these apart. */

export type StringMap = Readonly<Record<string, string>>;

export function nullIfNone<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

export function nullIfEmpty(map: StringMap): StringMap | null {
  return Object.keys(map).length === 0 ? null : sorted(map);
}

/** Go writes a map's keys in order. */
export function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `["80/tcp"]` → `{"80/tcp": {}}`: Go's set. */
export function setOf(names: readonly string[]): Record<string, object> {
  return sorted(Object.fromEntries(names.map((name) => [name, {}])));
}

/** The field only where it has a value. */
export function omitEmpty<K extends string, T>(name: K, value: T): { [P in K]?: T } {
  const isEmpty =
    value === undefined ||
    value === null ||
    value === "" ||
    value === 0 ||
    value === false ||
    (typeof value === "object" && Object.keys(value).length === 0);
  return isEmpty ? {} : ({ [name]: value } as { [P in K]?: T });
}
