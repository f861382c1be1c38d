import type { BootContext, RunningService } from "../../kit/boot.ts";
import type { Settings } from "../../kit/config.ts";
import { hostRoot } from "../../kit/linux/user-mapping.ts";
import { userMappingOf, usernsRemapSettings } from "../../kit/userns-remap.ts";
import { volumeArchives } from "../content/archives.ts";
import { createCopySyscalls } from "../copy-up/syscalls.ts";
import type { Deps } from "../deps.ts";
import { createDrivers } from "../drivers/drivers.ts";
import { makeTopDirectories, volumeDirectories } from "../drivers/local/directories.ts";
import { volumesService } from "../service.ts";
import { keepUp } from "../upkeep.ts";

export const volumesSettings = { ...usernsRemapSettings } as const satisfies Settings;

/** The service's surface and its background work, which ends with the context's signal. */
export async function startVolumes(
  context: BootContext<typeof volumesSettings>,
): Promise<RunningService<typeof volumesSettings>> {
  const mapping = await userMappingOf(context.config["userns-remap"]);
  const directories = volumeDirectories(context.config.root, mapping && hostRoot(mapping));
  await makeTopDirectories(directories);
  const archives = volumeArchives();
  const deps: Deps = {
    db: context.db,
    node: context.nodeId,
    directories,
    archives,
    drivers: createDrivers(directories),
    calls: createCopySyscalls(),
    newOwner: directories.newOwner,
    userMapping: mapping,
    log: context.log,
  };
  const upkeep = keepUp(deps, directories, context.signal);
  return {
    services: [volumesService(deps, context.feed)],
    [Symbol.asyncDispose]: async () => {
      await archives[Symbol.asyncDispose]();
      await upkeep;
    },
  };
}
