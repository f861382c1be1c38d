import { constants, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { type Asker, answerJob, sendArchive } from "../../kit/archive/asker.ts";
import { Packer, type PackOptions } from "../../kit/archive/pack.ts";
import { find, heldTree, type OpenTree } from "../../kit/archive/tree.ts";
import { Unpacker } from "../../kit/archive/unpack.ts";
import { unpackStream } from "../../kit/archive/unpack-stream.ts";
import { type FileCalls, loadFileCalls } from "../../kit/linux/file-calls.ts";
import type { VolumeJob, VolumePart } from "./archive-jobs.ts";
import { volumeRefusals } from "./refusals.ts";

const PACKING: Omit<PackOptions, "userMapping"> = {
  times: "nanoseconds",
  mounts: "left-out",
  // overlay's own marks say where its layers lie, a security label says what host policy makes of a place
  keepsXattr: (name) => !/^(trusted\.overlay\.|user\.overlay\.|security\.selinux$)/.test(name),
};

async function perform(job: VolumeJob, asker: Asker<VolumePart>): Promise<void> {
  const calls = loadFileCalls();
  const directory = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  using tree = heldTree([openSync(job.path, directory)], volumeRefusals);
  switch (job.kind) {
    case "pack":
      return pack(tree, { ...PACKING, userMapping: job.userMapping }, calls, asker);
    case "unpack": {
      const { makesDevices, userMapping } = job;
      const options = { keepsKinds: false, owner: undefined, describesTop: true, makesDevices, userMapping };
      using unpacker = new Unpacker(tree, "", options, calls);
      await unpackStream(unpacker, asker.chunks(), tree.refusals);
      return calls.syncFileSystem(tree.rootFd);
    }
    default:
      return job satisfies never;
  }
}

async function pack(tree: OpenTree, options: PackOptions, calls: FileCalls, asker: Asker<VolumePart>): Promise<void> {
  using found = find(tree, "", "keep", calls);
  using packer = new Packer(tree, options, calls);
  await sendArchive(packer.archive(found, "./"), asker);
}

const port = parentPort;
if (port === null) throw new Error("this program runs as a worker thread only");
await answerJob<VolumePart>({ port, what: "read or write the volume" }, (asker) =>
  perform(workerData as VolumeJob, asker),
);
