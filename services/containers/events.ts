import type { Change } from "../kit/outbox.ts";

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
