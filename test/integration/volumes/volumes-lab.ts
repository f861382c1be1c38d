import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  CreateVolumeRequest,
  ListVolumesRequest,
  MountRequest,
  MountType,
  VolumesService,
} from "#proto/ctl/volumes/v1/volumes.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import type { ServiceClient } from "../../../services/kit/grpc/client.ts";
import { bindUnmount } from "../../../services/kit/linux/mount.ts";
import { readMountinfo } from "../../../services/kit/linux/mountinfo.ts";
import { createLog } from "../../../services/kit/telemetry/log.ts";
import { volumeArchives } from "../../../services/volumes/content/archives.ts";
import { createCopySyscalls } from "../../../services/volumes/copy-up/syscalls.ts";
import type { Deps } from "../../../services/volumes/deps.ts";
import { createDrivers } from "../../../services/volumes/drivers/drivers.ts";
import { type VolumeDirectories, volumeDirectories } from "../../../services/volumes/drivers/local/directories.ts";
import { startVolumes, volumesSettings } from "../../../services/volumes/service/start.ts";
import { volumeNamed } from "../../../services/volumes/store.ts";
import { type ServiceInProcess, serviceInProcess } from "../../lab/service.ts";

export type VolumesClient = ServiceClient<typeof VolumesService>;

export interface VolumesLab extends ServiceInProcess {
  readonly volumes: VolumesClient;
  readonly directories: VolumeDirectories;
  /** What the service's operations are made of, for what it has no RPC for. */
  readonly deps: Deps;
  /** Names of the volumes' directories. */
  directoryNames(): Promise<string[]>;
}

export async function volumesLab(): Promise<VolumesLab> {
  const service = await serviceInProcess({ name: "volumes", settings: volumesSettings, start: startVolumes });
  const directories = volumeDirectories(service.root);
  const archives = volumeArchives();
  return {
    ...service,
    volumes: service.client(VolumesService),
    directories,
    deps: {
      db: service.db,
      node: service.node,
      directories,
      archives,
      drivers: createDrivers(directories),
      calls: createCopySyscalls(),
      log: createLog("test", "fatal"),
    },
    directoryNames: async () => (await readdir(directories.top)).filter((name) => !name.startsWith(".")).sort(),
    [Symbol.asyncDispose]: async () => {
      for (const { mountPoint } of await readMountinfo()) {
        if (mountPoint.startsWith(service.root)) await bindUnmount()(mountPoint);
      }
      await archives[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
    },
  };
}

/** What every call is given. */
export function call() {
  return { signal: deadline(10_000, "call the volumes service") };
}

export function volumeMount(target: string, more: Partial<MountRequest> = {}): MountRequest {
  return MountRequest.fromPartial({ type: MountType.VOLUME, target, ...more });
}

export function bindOf(source: string, target: string, more: Partial<MountRequest> = {}): MountRequest {
  return MountRequest.fromPartial({ type: MountType.BIND, source, target, ...more });
}

export function holder(name: string, operation = `start-${name}`) {
  return { holder: name, operation };
}

export function dataDirectory(lab: VolumesLab, name: string): string {
  return join(lab.directories.top, name, "_data");
}

export async function createNamed(lab: VolumesLab, name: string): Promise<void> {
  await lab.volumes.createVolume(CreateVolumeRequest.fromPartial({ name }), call());
}

export async function names(lab: VolumesLab): Promise<string[]> {
  const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.create(), call());
  return volumes.map(({ name }) => name);
}

export async function nothingIsHeld(lab: VolumesLab, name: string): Promise<void> {
  expect((await volumeNamed(lab.db, lab.node, name))?.holders).to.deep.equal([]);
  expect(await readdir(lab.directories.incoming)).to.deep.equal([]);
}
