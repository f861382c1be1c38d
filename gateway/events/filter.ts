import type { Event, Filter } from "#proto/ctl/common/v1/common.ts";
import { CtlError } from "../../services/kit/errors.ts";

/** Docker's: values of one key are alternatives, keys are conditions. */
const MATCHERS: Readonly<Record<string, (event: Event, value: string) => boolean>> = {
  type: (event, value) => event.type === value,
  event: (event, value) => event.action === value || event.action.startsWith(`${value}:`),
  container: (event, value) => event.type === "container" && isNamed(event, value),
  image: (event, value) => (event.type === "image" && isNamed(event, value)) || event.attributes["image"] === value,
  network: (event, value) => event.type === "network" && isNamed(event, value),
  volume: (event, value) => event.type === "volume" && isNamed(event, value),
  label: (event, value) => {
    const at = value.indexOf("=");
    if (at < 0) return value in event.attributes;
    return event.attributes[value.slice(0, at)] === value.slice(at + 1);
  },
};

function isNamed(event: Event, value: string): boolean {
  return event.id === value || event.attributes["name"] === value || (value.length > 3 && event.id.startsWith(value));
}

/** A test for events. Throws INVALID_ARGUMENT FILTER_UNKNOWN. */
export function eventFilter(filters: readonly Filter[]): (event: Event) => boolean {
  const conditions = filters.map(({ key, values }) => {
    const matches = MATCHERS[key];
    if (matches === undefined) throw unknownFilter(key);
    return (event: Event) => values.some((value) => matches(event, value));
  });
  return (event) => conditions.every((holds) => holds(event));
}

function unknownFilter(key: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FILTER_UNKNOWN",
    what: `filter events by "${key}"`,
    why: "there is no such filter",
    fix: `use one of ${Object.keys(MATCHERS).join(", ")}`,
  });
}
