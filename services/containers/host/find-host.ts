import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../kit/command.ts";
import { bindOpenat2 } from "../../kit/linux/openat2.ts";
import { bindPidfds } from "../../kit/linux/pidfd.ts";
import { readBootId } from "../../kit/linux/process-identity.ts";
import { bindRemoveTree } from "../../kit/linux/remove-tree.ts";
import { readHostFacts } from "../bundle/host-facts.ts";
import { detectCgroups } from "../cgroups/layout.ts";
import { readLimitFacts } from "../cgroups/limits.ts";
import { WarmMigration } from "../cgroups/migration.ts";
import type { CgroupParent } from "../cgroups/placement.ts";
import { containersDirectory } from "../paths.ts";
import { shareRoot } from "../rootfs/shared-root.ts";
import { ContainerThread } from "../runtime/host-thread.ts";
import type { OciRuntime } from "../runtime/oci-runtime.ts";
import { probeRuntime, type RuntimeCandidate, USUAL_RUNTIMES } from "../runtime/probe.ts";
import { Programs } from "../runtime/programs.ts";
import type { ContainerHost } from "./host.ts";
import { openRemap } from "./remap.ts";

export interface HostSettings {
  readonly root: string;
  readonly run: string;
  readonly instance: string;
  /** The program to try first; empty: the usual ones. */
  readonly runtimePath: string;
  readonly conmonPath: string;
  readonly initPath: string;
  /** Paths of further runtimes by name. */
  readonly runtimes: Readonly<Record<string, { readonly path: string }>>;
  readonly cdiDirectories: readonly string[];
  /** Empty: none. */
  readonly usernsRemap: string;
  /** A cgroup that systemd gave us; empty: one named after the instance at the top. */
  readonly cgroupParent: string;
}

export interface FoundHost extends AsyncDisposable {
  readonly host: ContainerHost;
}

/**
 * Finds out what this host is and readies what starts containers on it: about 150 ms, most of it the probe's real
 * container. Throws FAILED_PRECONDITION RUNTIME_MISSING, CGROUPS_MISSING.
 */
export async function findHost(settings: HostSettings, signal: AbortSignal): Promise<FoundHost> {
  const { root, run, instance, conmonPath, initPath } = settings;
  await using undo = new AsyncDisposableStack();
  await shareRoot(containersDirectory(root));
  const [layout, facts, bootId] = await Promise.all([detectCgroups(), readHostFacts(), readBootId()]);
  const layersDirectory = join(root, "images", "l");
  await mkdir(layersDirectory, { recursive: true, mode: 0o711 });
  const thread = undo.use(await ContainerThread.start(layout, layersDirectory, signal));
  const programs = undo.use(new Programs((request) => thread.spawn(request)));
  const cgroupParent: CgroupParent =
    settings.cgroupParent === "" ? { kind: "own", name: instance } : { kind: "delegated", path: settings.cgroupParent };
  const stateRoot = join(run, "runtime");
  await mkdir(stateRoot, { recursive: true, mode: 0o700 });
  const runtime = await probeRuntime(
    {
      candidates: candidates(settings.runtimePath),
      conmonPath,
      programs,
      facts,
      layout,
      cgroupParent,
      stateRoot,
      containersDirectory: containersDirectory(root),
    },
    signal,
  );
  const limits = await readLimitFacts(layout);
  const remap = await openRemap(settings, (request) => thread.mountRoot(request));
  if (remap !== undefined) undo.use(remap);
  const migration = await WarmMigration.open(layout);
  if (migration !== undefined) undo.use(migration);
  const conmonVersion = await versionOf(conmonPath, signal);
  const owned = undo.move();
  return {
    host: {
      root,
      exitsDirectory: join(root, "exits"),
      conmonPath,
      conmonVersion,
      initPath: initPath || (await usualInit()),
      runtime,
      runtimes: await namedRuntimes(settings, runtime),
      cdiDirectories: settings.cdiDirectories,
      programs,
      thread,
      layout,
      cgroupParent,
      limits,
      facts,
      pidfds: bindPidfds(),
      openat2: bindOpenat2(),
      removeTree: bindRemoveTree(),
      migration,
      remap,
      bootId,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Their state lies apart, in a directory of each: only they know how to read it. */
async function namedRuntimes({ run, runtimes }: HostSettings, usual: OciRuntime): Promise<Map<string, OciRuntime>> {
  const named = new Map<string, OciRuntime>();
  for (const [name, { path }] of Object.entries(runtimes)) {
    const stateRoot = join(run, "runtimes", name);
    await mkdir(stateRoot, { recursive: true, mode: 0o700 });
    named.set(name, { ...usual, kind: "runc", path, version: "unknown", stateRoot, releasesByFifo: false });
  }
  return named;
}

const USUAL_INITS = ["/usr/bin/catatonit", "/usr/bin/tini-static", "/usr/bin/docker-init"];

/** The first name also where there is none: an error then says what to install. */
async function usualInit(): Promise<string> {
  for (const path of USUAL_INITS) if (await isThere(path)) return path;
  return USUAL_INITS[0] ?? "";
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function candidates(path: string): readonly RuntimeCandidate[] {
  if (path === "") return USUAL_RUNTIMES;
  return [{ kind: path.includes("crun") ? "crun" : "runc", path }];
}

async function versionOf(path: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await runCommand(path, ["--version"], { signal });
  return /version (\S+)/.exec(stdout)?.[1] ?? "unknown";
}
