import type { Event } from "#proto/ctl/common/v1/common.ts";
import type { ApiVersion } from "../versions.ts";
import { sorted } from "./go-values.ts";
import { unixNano } from "./times.ts";

/** One line of `GET /events`; its `timeNano` is beyond what a JavaScript number holds, so the line is made here. */
export function eventLine(event: Event, version: ApiVersion): Buffer {
  const message = {
    ...(version.minor < 52 ? legacyFields(event) : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: sorted(attributesOf(event)) },
    scope: "local",
    time: event.time?.seconds ?? 0,
  };
  return Buffer.from(`${JSON.stringify(message).slice(0, -1)},"timeNano":${unixNano(event.time)}}\n`);
}

/** Docker tells the propagation of a volume's mount too, which volumes do not have. */
function attributesOf({ type, action, attributes }: Event): Readonly<Record<string, string>> {
  return type === "volume" && action === "mount" ? { ...attributes, propagation: "" } : attributes;
}

function legacyFields(event: Event) {
  if (event.type === "container") return { status: event.action, id: event.id, from: event.attributes["image"] ?? "" };
  return event.type === "image" ? { status: event.action, id: event.id } : {};
}
