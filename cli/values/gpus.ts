import { csvFields } from "./csv.ts";
import { invalid } from "./invalid.ts";

/** Docker's device request, see `--gpus`. */
export interface GpuRequest {
  readonly driver: string;
  /** -1: all. */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** All of these are wanted of one device. */
  readonly capabilities: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

/** `all`, `2`, `device=0`, `"device=0,1"`, `driver=nvidia,count=1,capabilities=utility`. GPUS_INVALID. */
export function parseGpus(given: string): GpuRequest {
  let request: GpuRequest = { driver: "", count: 0, deviceIds: [], capabilities: ["gpu"], options: {} };
  const seen = new Set<string>();
  for (const field of csvFields(given)) {
    const [first = "", value] = field.split(/=(.*)/s);
    const key = value === undefined ? "count" : first;
    if (seen.has(key)) throw refuse(given, `gpu request key '${key}' can be specified only once`);
    seen.add(key);
    request = { ...request, ...readField(key, value ?? first, given) };
  }
  if (seen.has("count") && seen.has("device"))
    throw refuse(given, "cannot set both Count and DeviceIDs on device request");
  return seen.has("count") || seen.has("device") ? request : { ...request, count: 1 };
}

function readField(key: string, value: string, given: string): Partial<GpuRequest> {
  switch (key) {
    case "driver":
      return { driver: value };
    case "count":
      return { count: readCount(value, given) };
    case "device":
      return { deviceIds: value.split(",") };
    case "capabilities":
      return { capabilities: [...new Set([...value.split(","), "gpu"])] };
    case "options":
      return { options: Object.fromEntries(csvFields(value).map((pair) => [...pair.split(/=(.*)/s), ""].slice(0, 2))) };
    default:
      throw refuse(given, `unexpected key '${key}' in '${key}=${value}'`);
  }
}

function readCount(text: string, given: string): number {
  if (text === "all") return -1;
  if (/^(-1|\d{1,6})$/.test(text)) return Number(text);
  throw refuse(given, `invalid count (${text}): value must be either "all" or an integer`);
}

function refuse(given: string, why: string) {
  return invalid("GPUS_INVALID", given, why, "all, a number, or device=0; several: '\"device=0,1\"'");
}
