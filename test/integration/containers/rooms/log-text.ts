import { readLog } from "../../../../services/containers/logs/read.ts";
import type { OutputStream } from "../../../../services/containers/logs/record.ts";
import { type StartedContainer, signal } from "./rooms.ts";

/** What a container has written so far. */
export async function logText(
  { logPath }: Pick<StartedContainer, "logPath">,
  streams: readonly OutputStream[] = ["stdout", "stderr"],
): Promise<string> {
  const request = { logPath, tail: undefined, sinceNs: undefined, untilNs: undefined, until: undefined };
  const pieces: Buffer[] = [];
  for await (const records of readLog({ ...request, streams: new Set(streams) }, signal("read the log"))) {
    for (const { data } of records) pieces.push(data);
  }
  return Buffer.concat(pieces).toString("utf8");
}
