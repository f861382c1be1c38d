import type { Database } from "../../kit/database.ts";
import { deadline, sleep } from "../../kit/deadlines.ts";
import { inParallel } from "../../kit/parallel.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { containerPaths } from "../paths.ts";
import { type ContainerRow, upContainers } from "../store/containers.ts";
import { DEFAULT_LOG_POLICY, rotateLog } from "./rotate.ts";

export interface RotationDeps {
  readonly db: Database;
  readonly node: string;
  readonly root: string;
  readonly log: Logger;
}

const ROUND_MS = 2_000;
const ONE_TIMEOUT_MS = 10_000;

/** The duty's: looks every 2 s for logs that have grown over their cap, until the signal aborts. A look is one stat. */
export async function rotateForEver({ db, node, root, log }: RotationDeps, signal: AbortSignal): Promise<void> {
  const rotate = async ({ id, name }: ContainerRow): Promise<void> => {
    const { log: logPath, bundle: bundlePath } = containerPaths(root, id);
    const ends = deadline(ONE_TIMEOUT_MS, `rotate the log of container ${name}`);
    await rotateLog({ logPath, bundlePath, policy: DEFAULT_LOG_POLICY }, ends).catch((error: unknown) =>
      log.warn({ [attribute.containerId]: id, err: error }, "log not rotated"),
    );
  };
  while (!signal.aborted) {
    const rows = await upContainers(db, node);
    await inParallel(rows, rotate, signal, 4).catch(() => {});
    await sleep(ROUND_MS, signal).catch(() => {});
  }
}
