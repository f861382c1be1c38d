import { ListVolumesRequest } from "#proto/ctl/volumes/v1/volumes.ts";
import { describeStep } from "../../contract/steps.ts";
import { call, volumeMount, volumesLab } from "./volumes-lab.ts";

const MOUNTS = [
  volumeMount("/data", { source: "data" }),
  volumeMount("/cache"),
  volumeMount("/tmpfs", { source: "memory", driverOptions: { type: "tmpfs", device: "tmpfs", o: "size=1m" } }),
];

describeStep("volumes.acquire", async () => {
  const lab = await volumesLab();
  return {
    do: (key) => lab.volumes.acquire({ holder: key, mounts: MOUNTS }, call()),
    undo: (key) => lab.volumes.undoAcquire({ holder: key }, call()),
    state: async () => {
      const { volumes } = await lab.volumes.listVolumes(ListVolumesRequest.create(), call());
      return { volumes, directories: await lab.directoryNames() };
    },
    [Symbol.asyncDispose]: async () => {
      for (const name of ["c", "d"])
        await lab.volumes.release({ holder: name.repeat(64), removeAnonymous: true }, call());
      await lab[Symbol.asyncDispose]();
    },
  };
});
