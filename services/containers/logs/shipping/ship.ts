import { sleep } from "../../../kit/deadlines.ts";
import { attribute } from "../../../kit/telemetry/attributes.ts";
import type { Logger } from "../../../kit/telemetry/log.ts";
import { followLog } from "../follow.ts";
import { startOfLog } from "../tail.ts";
import { LineJoiner, type SentLine } from "./lines.ts";
import { PlaceFile, readPlace } from "./place-file.ts";

/** Where lines are sent to. Rejects when it was not possible: the same lines are then sent again. */
export interface LogSender extends AsyncDisposable {
  send(lines: readonly SentLine[], signal: AbortSignal): Promise<void>;
}

export interface ShipRequest {
  readonly containerId: string;
  readonly run: number;
  readonly logPath: string;
  readonly sender: LogSender;
  /** Resolves when nothing more will be written. */
  readonly ended: Promise<unknown>;
  readonly log: Logger;
}

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;

/**
 * Sends a container's log on from where it was left, until it has ended and all is sent. At least once: the place is
 * recorded behind each batch that was taken. The container never waits for this, only its log's rotation may overtake.
 */
export async function shipLog(request: ShipRequest, signal: AbortSignal): Promise<void> {
  const { logPath, run, ended, log, containerId } = request;
  const known = await readPlace(logPath);
  const oldest = await startOfLog(logPath);
  const from = known?.position ?? oldest;
  if (from.generation < oldest.generation) {
    log.warn({ [attribute.containerId]: containerId }, "log was rotated away before all of it was sent on");
  }
  await using place = await PlaceFile.open(logPath);
  const joiner = new LineJoiner(from);
  const endedRun = known?.endedRun ?? 0;
  for await (const records of followLog({ logPath, from, until: { ended } }, signal)) {
    const lines = joiner.push(records);
    if (lines.length === 0) continue;
    await sendAgainAndAgain(lines, request, signal);
    await place.write({ position: joiner.position, endedRun });
  }
  const rest = joiner.flush();
  if (rest.length > 0) await sendAgainAndAgain(rest, request, signal);
  await place.write({ position: joiner.position, endedRun: run });
}

/** Throws only by the signal. */
async function sendAgainAndAgain(
  lines: readonly SentLine[],
  { sender, log, containerId }: ShipRequest,
  signal: AbortSignal,
): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
    try {
      return await sender.send(lines, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // once for each outage, when the second attempt has failed too
      if (waitMs === FIRST_RETRY_MS * 2) {
        log.warn({ [attribute.containerId]: containerId, err: error }, "log not sent on yet");
      }
      await sleep(waitMs, signal);
    }
  }
}
