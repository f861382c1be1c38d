import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { sweepInstance } from "../../test/lab/sweep.ts";
import { temporaryDirectory } from "../../test/lab/temporary-directory.ts";
import type { Contender } from "./measure.ts";

export interface PodmanPeer extends AsyncDisposable {
  /** `podman run` with these arguments. */
  run(...args: string[]): Contender;
}

const CGROUP = "podmanpeer";

/** Debian's Podman with its storage in a directory of its own; its image is called localhost/busybox. */
export async function startPodman(layerPath: string): Promise<PodmanPeer> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("podman"));
  undo.defer(() => sweepInstance(CGROUP, directory.path));
  const flags = [
    `--root=${directory.path}/root`,
    `--runroot=${directory.path}/run`,
    "--cgroup-manager=cgroupfs",
    "--events-backend=file",
    "--network-backend=netavark",
    "--runtime=runc", // crun refuses hybrid cgroups, and runc is what Docker uses
  ];
  const env = { PATH: process.env["PATH"], HOME: directory.path };
  const imported = await runCommand("podman", [...flags, "import", layerPath, "localhost/busybox"], {
    env,
    signal: deadline(60_000, "import an image into Podman"),
  });
  if (imported.exitCode !== 0) throw new Error(`podman import: ${imported.stderr}`);
  const owned = undo.move();
  return {
    run: (...args) => ({
      name: "podman",
      program: "podman",
      args: [...flags, "run", `--cgroup-parent=/${CGROUP}`, ...args],
      env,
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
