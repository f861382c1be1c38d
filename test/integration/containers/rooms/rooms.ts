import { randomBytes } from "node:crypto";
import { chmod, cp, mkdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeBundle } from "../../../../services/containers/bundle/bundle.ts";
import { readHostFacts } from "../../../../services/containers/bundle/host-facts.ts";
import type { OciConfig } from "../../../../services/containers/bundle/oci-config.ts";
import { detectCgroups } from "../../../../services/containers/cgroups/layout.ts";
import { linuxResources, readLimitFacts } from "../../../../services/containers/cgroups/limits.ts";
import { WarmMigration } from "../../../../services/containers/cgroups/migration.ts";
import {
  type CgroupParent,
  containerCgroups,
  enterMonitorCgroup,
  removeCgroups,
} from "../../../../services/containers/cgroups/placement.ts";
import { Exits, type RunExit } from "../../../../services/containers/exits/exit-files.ts";
import { mountRootfs, rootfsDirectories, unmountRootfs } from "../../../../services/containers/rootfs/overlay.ts";
import { shareRoot, unshareRoot } from "../../../../services/containers/rootfs/shared-root.ts";
import { createRun } from "../../../../services/containers/runtime/conmon.ts";
import { ContainerThread } from "../../../../services/containers/runtime/host-thread.ts";
import { deleteRun, runtimeId } from "../../../../services/containers/runtime/oci-runtime.ts";
import { probeRuntime, type RuntimeCandidate } from "../../../../services/containers/runtime/probe.ts";
import { Programs } from "../../../../services/containers/runtime/programs.ts";
import { releaseRun } from "../../../../services/containers/runtime/release.ts";
import {
  type ContainerId,
  type ContainerMount,
  type ContainerSpec,
  type ImageDefaults,
  isContainerId,
} from "../../../../services/containers/spec/spec.ts";
import { runCommand } from "../../../../services/kit/command.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { testRun } from "../../../lab/run-directory.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

export const CRUN: RuntimeCandidate = { kind: "crun", path: "/usr/bin/crun" };
export const RUNC: RuntimeCandidate = { kind: "runc", path: "/usr/sbin/runc" };

export const signal = (what = "the test's step") => deadline(10_000, what);

export type Rooms = Awaited<ReturnType<typeof openRooms>>;

/** The rooms of the containers service on this host, put together as the service does, around the first runtime that works. */
export async function openRooms(...candidates: readonly RuntimeCandidate[]) {
  await refuseHost();
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("rooms"));
  const containers = join(directory.path, "containers");
  await shareRoot(containers);
  undo.defer(async () => void (await unshareRoot(containers)));
  const images = join(directory.path, "images");
  await makeLayer(join(images, "l", "1"));
  const netns = undo.use(await networkNamespace());
  const layout = await detectCgroups();
  const thread = undo.use(await ContainerThread.start(layout, images, signal("start the thread")));
  const programs = undo.use(new Programs((request) => thread.spawn(request)));
  const facts = await readHostFacts();
  const cgroupParent: CgroupParent = { kind: "own", name: `${testRun().name}-rooms` };
  undo.defer(() => void removeCgroups(layout, [`/${testRun().name}-rooms`]));
  const stateRoot = join(directory.path, "runtime");
  const conmonPath = "/usr/bin/conmon";
  const probe = { candidates, conmonPath, programs, facts, layout, cgroupParent, stateRoot };
  const runtime = await probeRuntime({ ...probe, containersDirectory: containers }, signal("probe"));
  const exitsDirectory = join(directory.path, "exits");
  const exits = undo.use(await Exits.open(exitsDirectory, (id) => join(containers, id)));
  const warm = await WarmMigration.open(layout);
  if (warm !== undefined) undo.use(warm);
  const limits = await readLimitFacts(layout);
  const owned = undo.move();
  return {
    ...{ containers, images, layout, thread, programs, facts, cgroupParent, runtime, exits, exitsDirectory, limits },
    ...{ conmonPath, warm, stateRoot, netnsPath: netns.path },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface StartedContainer extends AsyncDisposable {
  readonly id: ContainerId;
  readonly runtimeId: string;
  readonly pid: number;
  readonly bundlePath: string;
  readonly logPath: string;
  readonly cgroup: string;
  readonly config: OciConfig;
  ended(): Promise<RunExit>;
}

export interface StartWish {
  readonly spec?: Partial<ContainerSpec>;
  readonly image?: Partial<ImageDefaults>;
  readonly mounts?: readonly ContainerMount[];
  readonly parent?: CgroupParent;
  readonly layers?: readonly string[];
}

/** A real container of the busybox layer; disposing kills it and takes down all that it has. */
export async function startContainer(
  rooms: Rooms,
  command: readonly string[],
  wish: StartWish = {},
): Promise<StartedContainer> {
  const id = randomBytes(32).toString("hex");
  if (!isContainerId(id)) throw new TypeError(id);
  const bundlePath = join(rooms.containers, id);
  const directories = rootfsDirectories(bundlePath);
  const name = runtimeId(id, 1);
  const cgroups = containerCgroups(wish.parent ?? rooms.cgroupParent, id);
  const spec = containerSpec({ command, ...wish.spec });
  const logPath = join(bundlePath, "container.log");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(bundlePath, { recursive: true, force: true }));
  undo.defer(() => void removeCgroups(rooms.layout, cgroups.all));
  undo.defer(async () => void (await unmountRootfs(directories)));
  undo.defer(async () => void (await deleteRun(rooms, name, { force: true }, signal("delete"))));
  rooms.warm?.expect(id, 100);
  await mountRootfs({ directories, layers: wish.layers ?? ["l/1"], isVolatile: true }, (request) =>
    rooms.thread.mountRoot(request),
  );
  const { resources } = linuxResources(spec.resources, rooms.limits);
  const config = await writeBundle(
    {
      ...{ id, spec, bundlePath, resources, mounts: wish.mounts ?? [] },
      image: { entrypoint: [], command: [], env: [], workingDir: "", user: "", stopSignal: "", ...wish.image },
      rootfsPath: directories.merged,
      usernsPath: undefined,
      cgroupsPath: cgroups.payload,
      isCgroupV2: rooms.layout.mode === "v2",
      netnsPath: rooms.netnsPath,
      others: { joined: new Map(), links: [] },
      shmPath: join(bundlePath, "mounts", "shm"),
      cdiDirectories: [],
      initPath: "/usr/bin/tini-static",
      addresses: ["172.17.0.2"],
      hostGateway: "172.17.0.1",
      resolvConf: "nameserver 127.0.0.11\n",
    },
    rooms.facts,
    (files) => rooms.thread.writeBundle(files),
  );
  const { monitor } = cgroups;
  const pid = await createRun(
    rooms,
    {
      ...{ runtimeId: name, bundlePath, logPath, exitsDirectory: rooms.exitsDirectory, terminal: spec.tty },
      stdin: spec.openStdin,
      leaveStdinOpen: spec.openStdin && !spec.stdinOnce,
      place: monitor === undefined ? undefined : (monitorPid) => enterMonitorCgroup(rooms.layout, monitor, monitorPid),
    },
    signal("create"),
  );
  await releaseRun(rooms, name, signal("start"));
  const owned = undo.move();
  return {
    ...{ id, runtimeId: name, pid, bundlePath, logPath, config, cgroup: cgroups.payload },
    ended: () => rooms.exits.ended(id, 1, signal("the container's exit")),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function containerSpec(parts: Partial<ContainerSpec>): ContainerSpec {
  return {
    ...{
      name: "",
      image: "busybox",
      entrypoint: undefined,
      command: [],
      env: [],
      workingDir: "",
      user: "",
      groups: [],
    },
    ...{
      hostname: "",
      domainname: "",
      labels: {},
      tty: false,
      openStdin: false,
      stdinOnce: false,
      readOnlyRootfs: false,
    },
    ...{ stopSignal: "", stopTimeoutS: undefined, restart: { mode: "no" }, autoRemove: false, capAdd: [], capDrop: [] },
    ...{ privileged: false, securityOptions: [], init: false, dns: { servers: [], search: [], options: [] } },
    ...{
      extraHosts: [],
      sysctls: {},
      ulimits: [],
      shmSizeBytes: 0,
      oomScoreAdj: undefined,
      devices: [],
      annotations: {},
    },
    namespaces: { ipc: "", pid: "", uts: "", cgroup: "" },
    resources: NO_LIMITS,
    ...parts,
  };
}

export const NO_LIMITS = {
  ...{ memoryBytes: 0, memorySwapBytes: 0, memoryReservationBytes: 0, nanoCpus: 0, cpuShares: 0, cpuPeriodUs: 0 },
  ...{ cpuQuotaUs: 0, cpusetCpus: "", cpusetMems: "", pidsLimit: 0, blkioWeight: 0, oomKillDisable: false },
};

/** A root file system of busybox (Debian's busybox-static) with two users. */
export async function makeLayer(path: string): Promise<void> {
  for (const name of ["bin", "etc", "root", "home/alice"]) await mkdir(join(path, name), { recursive: true });
  await mkdir(join(path, "tmp"));
  await chmod(join(path, "tmp"), 0o1777);
  await cp("/bin/busybox", join(path, "bin/busybox"));
  for (const name of APPLETS) await symlink("busybox", join(path, "bin", name));
  await writeFile(join(path, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n");
  await writeFile(join(path, "etc/group"), "root:x:0:\nalice:x:1000:\nstaff:x:50:alice\n");
  await writeFile(join(path, "bin/plain"), "no program\n");
}

const APPLETS = [
  ...["sh", "true", "false", "sleep", "echo", "cat", "id", "env", "printf", "dd", "head", "tail", "seq", "kill", "ls"],
  ...["pwd", "hostname", "mount", "umount", "unshare", "touch", "grep", "wc", "chmod", "mknod", "tr", "yes", "stat"],
  ...["sync", "ps", "test", "rm", "mkdir", "df", "od", "usleep"],
] as const;

/** runc refuses network settings for a container in its own network namespace, so containers get another one. */
async function networkNamespace(): Promise<AsyncDisposable & { readonly path: string }> {
  const name = `${testRun().name}-${randomBytes(3).toString("hex")}`;
  const ip = async (...args: string[]) => {
    const result = await runCommand("ip", ["netns", ...args], { signal: signal(`ip netns ${args.join(" ")}`) });
    if (result.exitCode !== 0) throw new Error(result.stderr);
  };
  await ip("add", name);
  return { path: `/run/netns/${name}`, [Symbol.asyncDispose]: () => ip("del", name) };
}

/** These tests mount and make cgroups: only in namespaces of their own (sh deploy/scripts/test.sh makes them). */
async function refuseHost(): Promise<void> {
  const [own, parent] = await Promise.all([readlink("/proc/self/ns/mnt"), readlink("/proc/1/ns/mnt")]);
  if (own === parent && process.env["CTL_TEST_COUNTS"] === undefined) {
    throw new Error("run these tests with sh deploy/scripts/test.sh FILE: they mount");
  }
}
