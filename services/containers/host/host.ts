import type { Openat2 } from "../../kit/linux/openat2.ts";
import type { Pidfds } from "../../kit/linux/pidfd.ts";
import type { RemoveTree } from "../../kit/linux/remove-tree.ts";
import type { HostFacts } from "../bundle/host-facts.ts";
import type { CgroupLayout } from "../cgroups/layout.ts";
import type { LimitFacts } from "../cgroups/limits.ts";
import type { WarmMigration } from "../cgroups/migration.ts";
import type { CgroupParent } from "../cgroups/placement.ts";
import type { ContainerThread } from "../runtime/host-thread.ts";
import type { OciRuntime } from "../runtime/oci-runtime.ts";
import type { Programs } from "../runtime/programs.ts";
import type { UserRemap } from "./remap.ts";

/** What running containers on this host takes: found out or made once, at the service's start. */
export interface ContainerHost {
  /** The daemon's root; containers have their directories below it. */
  readonly root: string;
  readonly exitsDirectory: string;
  readonly conmonPath: string;
  readonly conmonVersion: string;
  readonly initPath: string;
  readonly runtime: OciRuntime;
  /** Those that the configuration names. */
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
  /** Where the files of the Container Device Interface are, the weaker first. */
  readonly cdiDirectories: readonly string[];
  readonly programs: Programs;
  readonly thread: ContainerThread;
  readonly layout: CgroupLayout;
  readonly cgroupParent: CgroupParent;
  readonly limits: LimitFacts;
  readonly facts: HostFacts;
  readonly pidfds: Pidfds;
  readonly openat2: Openat2;
  readonly removeTree: RemoveTree;
  readonly migration: WarmMigration | undefined;
  /** Undefined: containers have the host's users. */
  readonly remap: UserRemap | undefined;
  /** Of this boot: a process is (pid, start time, epoch). */
  readonly bootId: string;
}
