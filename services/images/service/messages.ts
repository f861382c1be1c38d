import type { Image, LayerPhase as ProtoPhase } from "#proto/ctl/images/v1/images.ts";
import { Image as ImageMessage, LayerPhase } from "#proto/ctl/images/v1/images.ts";
import { type Timestamp, timestampOf } from "../../kit/timestamp.ts";
import type { LayerPhase as Phase } from "../pull.ts";
import { familiarName, familiarReference, parseReference } from "../reference.ts";
import type { ImageRow } from "../store/images.ts";

const PHASES: Readonly<Record<Phase, ProtoPhase>> = {
  exists: LayerPhase.EXISTS,
  waiting: LayerPhase.WAITING,
  downloading: LayerPhase.DOWNLOADING,
  extracting: LayerPhase.EXTRACTING,
  done: LayerPhase.DONE,
};

export function phaseMessage(phase: Phase): ProtoPhase {
  return PHASES[phase];
}

/** A row as the contract has it. */
export function imageMessage(row: ImageRow): Image {
  const { config } = row;
  return ImageMessage.fromPartial({
    id: row.id,
    tags: row.tags.map((name) => familiarReference(parseReference(name))),
    repoDigests: row.repo_digests.map(familiarDigest),
    manifestDigest: row.manifest_digest,
    created: row.created_at === null ? undefined : timestampOf(row.created_at),
    platform: {
      os: config.platform.os,
      architecture: config.platform.architecture,
      variant: config.platform.variant ?? "",
    },
    sizeBytes: Number(row.size_bytes),
    config: {
      user: config.user,
      exposedPorts: [...config.exposedPorts],
      env: [...config.env],
      entrypoint: [...(config.entrypoint ?? [])],
      command: [...(config.command ?? [])],
      volumes: [...config.volumes],
      workingDir: config.workingDirectory,
      labels: config.labels,
      stopSignal: config.stopSignal,
      healthcheck: healthcheckMessage(config.healthcheck),
      shell: [...(config.shell ?? [])],
      onBuild: [...config.onBuild],
    },
    diffIds: [...config.diffIds],
    author: config.author,
    history: config.history.map((entry) => ({
      created: timeMessage(entry.created),
      createdBy: entry.createdBy,
      author: entry.author,
      comment: entry.comment,
      emptyLayer: entry.isEmptyLayer,
    })),
    lastTagged: timestampOf(row.tagged_at),
    leaseCount: row.lease_count,
  });
}

function healthcheckMessage(check: ImageRow["config"]["healthcheck"]) {
  if (check === undefined) return undefined;
  return {
    test: [...check.test],
    intervalNs: check.intervalNs ?? 0,
    timeoutNs: check.timeoutNs ?? 0,
    startPeriodNs: check.startPeriodNs ?? 0,
    startIntervalNs: check.startIntervalNs ?? 0,
    retries: check.retries ?? 0,
  };
}

function timeMessage(text: string | undefined): Timestamp | undefined {
  const time = new Date(text ?? "");
  return Number.isNaN(time.getTime()) ? undefined : timestampOf(time);
}

function familiarDigest(fullName: string): string {
  const reference = parseReference(fullName);
  return `${familiarName(reference)}@${reference.digest ?? ""}`;
}
