import type { MessagePort } from "node:worker_threads";
import { type Asker, answerJob, sendArchive } from "../../kit/archive/asker.ts";
import { Packer, type PackOptions } from "../../kit/archive/pack.ts";
import { find } from "../../kit/archive/tree.ts";
import { Unpacker } from "../../kit/archive/unpack.ts";
import { unpackStream } from "../../kit/archive/unpack-stream.ts";
import { descriptorPath, type FileCalls, loadFileCalls } from "../../kit/linux/file-calls.ts";
import { rootFiles } from "../bundle/root-files.ts";
import { resolveUser } from "../bundle/user.ts";
import { Comparison } from "./compare.ts";
import type { ArchiveJob, Part, PathChange } from "./jobs.ts";
import { baseName, pathStat, statPath } from "./path-stat.ts";
import { openView } from "./view.ts";

const CHANGES_A_PART = 1000;
const PACKING: Omit<PackOptions, "userMapping"> = {
  times: "seconds",
  mounts: "crossed",
  // capabilities and the user's own; what belongs to this host's file systems and security modules stays here
  keepsXattr: (name) => name === "security.capability" || name.startsWith("user."),
};

/** Runs one job in this thread and answers over the port, which it closes. Never rejects. */
export async function runJob(job: ArchiveJob, port: MessagePort): Promise<void> {
  await answerJob<Part>({ port, what: "look into the container" }, async (asker) => {
    const calls = loadFileCalls();
    using view = openView(job.view, calls);
    await perform(job, view, calls, asker);
  });
}

async function perform(
  { task, userMapping }: ArchiveJob,
  view: ReturnType<typeof openView>,
  calls: FileCalls,
  asker: Asker<Part>,
) {
  switch (task.kind) {
    case "stat":
      return asker.send({ kind: "stat", stat: statPath(view, task.path, calls) });
    case "read": {
      using found = find(view, task.path, task.followLink ? "follow" : "keep", calls);
      await asker.send({ kind: "stat", stat: pathStat(view, task.path, found, calls) });
      using packer = new Packer(view, { ...PACKING, userMapping }, calls);
      return await sendArchive(packer.archive(found, baseName(task.path)), asker);
    }
    case "export": {
      using found = find(view, "", "keep", calls);
      using packer = new Packer(view, { ...PACKING, userMapping }, calls);
      return await sendArchive(packer.archive(found, "./"), asker);
    }
    case "write": {
      const { keepsKinds, user } = task;
      const owner = user === "" ? undefined : await resolveUser(user, [], rootFiles(descriptorPath(view.rootFd)));
      const options = { keepsKinds, owner, userMapping, describesTop: false, makesDevices: true };
      using unpacker = new Unpacker(view, task.path, options, calls);
      return await unpackStream(unpacker, asker.chunks(), view.refusals);
    }
    case "changes":
      return sendChanges(new Comparison(view, task.ignored, calls).changes(view.upperFd ?? view.rootFd), asker);
    default:
      return task satisfies never;
  }
}

async function sendChanges(all: Iterable<PathChange>, asker: Asker<Part>): Promise<void> {
  let changes: PathChange[] = [];
  for (const one of all) {
    changes.push(one);
    if (changes.length < CHANGES_A_PART) continue;
    await asker.send({ kind: "changes", changes });
    changes = [];
  }
  if (changes.length > 0) await asker.send({ kind: "changes", changes });
}
