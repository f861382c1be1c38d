import { hostname } from "node:os";
import type { ImageDefaults } from "../../spec/spec.ts";
import type { ContainerRow } from "../../store/containers.ts";
import type { LogSender } from "../shipping/ship.ts";
import { attributesOf, tagOf } from "./attributes.ts";
import { JOURNAL_SOCKET } from "./driver.ts";
import { journalSender } from "./journald.ts";
import { parseSyslogOptions } from "./syslog/options.ts";
import { syslogSender } from "./syslog/sender.ts";

/** What a container's output is sent to by its driver, which is journald or syslog. */
export function senderFor(row: ContainerRow, image: ImageDefaults): LogSender {
  const { driver, options = {} } = row.spec.logging ?? {};
  const tag = tagOf(row);
  if (driver === "journald") {
    return journalSender(JOURNAL_SOCKET, {
      CONTAINER_ID: row.id.slice(0, 12),
      CONTAINER_ID_FULL: row.id,
      CONTAINER_NAME: row.name,
      CONTAINER_TAG: tag,
      IMAGE_NAME: row.image,
      SYSLOG_IDENTIFIER: tag,
      ...Object.fromEntries(
        Object.entries(attributesOf(row, image)).map(([name, value]) => [journalName(name), value]),
      ),
    });
  }
  return syslogSender(parseSyslogOptions(options), { hostname: hostname(), tag, pid: process.pid });
}

/** The journal takes upper-case letters, digits and underscores, and a letter first. */
function journalName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "_")
    .replace(/^[^A-Z]+/, "");
}
