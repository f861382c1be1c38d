import * as z from "zod";

/**
 * Types that take what Go's decoder takes: a missing field or null is the zero value, a field's name counts in any case,
 * fields that nobody knows are passed over.
 */
export const goString = z
  .string()
  .nullish()
  .transform((value) => value ?? "");

export const goBoolean = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

/** Undefined where it is missing or null. */
export const goOptionalBoolean = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined);

export const goInteger = z
  .int()
  .nullish()
  .transform((value) => value ?? 0);

export const goStrings = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);

export const goStringMap = z
  .record(z.string(), z.string().nullable())
  .nullish()
  .transform((value) => Object.fromEntries(Object.entries(value ?? {}).map(([key, one]) => [key, one ?? ""])));

/** Docker's StrSlice: a list, or one string; undefined where it is missing or null. */
export const goStrSlice = z
  .union([z.array(z.string()), z.string().transform((value) => [value])])
  .nullish()
  .transform((value) => value ?? undefined);

/** A set, `{"80/tcp": {}}`, as the list of its names. */
export const goSet = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}));

export function goMap<T extends z.ZodType>(value: T) {
  return z
    .record(z.string(), value)
    .nullish()
    .transform((map) => map ?? {});
}

export function goList<T extends z.ZodType>(value: T) {
  return z
    .array(value)
    .nullish()
    .transform((list) => list ?? []);
}

export function goObject<S extends z.ZodRawShape>(shape: S) {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  const withNames = (value: unknown): unknown => {
    if (value === null || value === undefined) return {};
    if (typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [names.get(key.toLowerCase()) ?? key, one]));
  };
  return z.preprocess(withNames, z.object(shape));
}
