import type { Database } from "../kit/database.ts";
import { type Change, recordEvent } from "../kit/outbox.ts";

/** What an event says about its container besides its own facts: Docker's attributes. */
export interface EventSubject {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function containerEvent(
  action: string,
  { id, name, image, labels }: EventSubject,
  facts: Readonly<Record<string, string>> = {},
): Change {
  return { type: "container", action, subject: id, attributes: { ...labels, image, name, ...facts } };
}

/** Of what changes no row. */
export function recordContainerEvent(
  db: Database,
  action: string,
  subject: EventSubject,
  facts: Readonly<Record<string, string>> = {},
): Promise<void> {
  return db.transaction((tx) => recordEvent(tx, db.schema, containerEvent(action, subject, facts)));
}
