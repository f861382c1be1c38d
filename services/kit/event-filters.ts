import { type FilterShape, type LabelFilter, parseFilters } from "./filters.ts";

/** Docker's; of the kinds of things that ctl has none of there are no events. */
export const EVENT_FILTERS = {
  type: "text",
  event: "text",
  scope: "text",
  container: "text",
  image: "text",
  network: "text",
  volume: "text",
  label: "label",
  daemon: "text",
  plugin: "text",
  service: "text",
  node: "text",
  secret: "text",
  config: "text",
} as const satisfies FilterShape;

/**
 * Which events are wanted: values of one key are alternatives, keys are conditions, labels are all wanted. Undefined
 * throughout: all events.
 */
export interface EventConditions {
  readonly types: readonly string[] | undefined;
  /** `exec_start` also means `exec_start: sh -c …`. */
  readonly actions: readonly string[] | undefined;
  /** Names, ids, or beginnings of ids. */
  readonly containers: readonly string[] | undefined;
  /** Also those of containers made from it, with its tag or without. */
  readonly images: readonly string[] | undefined;
  readonly networks: readonly string[] | undefined;
  readonly volumes: readonly string[] | undefined;
  readonly labels: LabelFilter | undefined;
}

/** Undefined: no condition at all. Throws INVALID_ARGUMENT FILTER_UNKNOWN. */
export function parseEventFilters(
  filters: readonly { readonly key: string; readonly values: readonly string[] }[],
): EventConditions | undefined {
  const { type, event, container, image, network, volume, label, scope, ...absent } = parseFilters(
    filters,
    EVENT_FILTERS,
  );
  const isNone = Object.values(absent).some((values) => values !== undefined) || scope?.includes("local") === false;
  if (!isNone && [type, event, container, image, network, volume, label].every((one) => one === undefined)) {
    return undefined;
  }
  return {
    types: isNone ? [] : type,
    actions: event,
    ...{ containers: container, images: image, networks: network, volumes: volume, labels: label },
  };
}
