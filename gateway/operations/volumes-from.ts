import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import { MountRequest, MountType, type ResolvedMount } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { Clients } from "../clients.ts";
import { newOperationId } from "./operation.ts";

interface Wish {
  readonly clients: Clients;
  readonly earlierMounts?: readonly ResolvedMount[];
}

/** Refuses `--volumes-from` of what is not there. Throws INVALID_ARGUMENT VOLUMES_FROM_INVALID; NOT_FOUND CONTAINER_NOT_FOUND. */
export async function checkSources({ clients }: Wish, sources: readonly string[], signal: AbortSignal): Promise<void> {
  for (const source of sources) await inspect(parseSource(source).container, clients, signal);
}

/**
 * The mounts of other containers that this one has too, but where it has its own (`taken`) or an earlier source has one:
 * volumes by name and binds, not tmpfs, as in Docker. A container that was started before keeps what it got then,
 * whatever has become of the source.
 */
export async function mountsFrom(
  { clients, earlierMounts = [] }: Wish,
  sources: readonly string[],
  taken: readonly MountRequest[],
  signal: AbortSignal,
): Promise<MountRequest[]> {
  const targets = new Set(taken.map(({ target }) => target));
  const found: MountRequest[] = [];
  const add = (mounts: readonly ResolvedMount[], isReadOnly: boolean) => {
    for (const mount of mounts) {
      if (targets.has(mount.target) || mount.type === MountType.TMPFS) continue;
      targets.add(mount.target);
      found.push(requestOf(mount, isReadOnly));
    }
  };
  if (earlierMounts.length > 0) {
    add(earlierMounts, false);
    return found;
  }
  for (const source of sources) {
    const { container, isReadOnly } = parseSource(source);
    add(await mountsOfSource(await inspect(container, clients, signal), clients, signal), isReadOnly);
  }
  return found;
}

async function inspect(ref: string, clients: Clients, signal: AbortSignal): Promise<Container> {
  const { container } = await clients.containers.inspectContainer({ ref, withSize: false }, { signal });
  if (container === undefined) throw new Error(`no answer about container ${ref}`);
  return container;
}

/** One that never ran has nothing yet: it gets its volumes now, as its own, and finds them when it starts. */
async function mountsOfSource(
  { id, mounts, spec, imageConfig }: Container,
  clients: Clients,
  signal: AbortSignal,
): Promise<readonly ResolvedMount[]> {
  if (mounts.length > 0 || spec === undefined) return mounts;
  const targets = new Set(spec.mounts.map(({ target }) => target));
  const fromImage = (imageConfig?.volumes ?? []).filter((target) => !targets.has(target));
  const wanted = [
    ...spec.mounts,
    ...fromImage.map((target) => MountRequest.fromPartial({ type: MountType.VOLUME, target, isFromImage: true })),
  ];
  if (wanted.length === 0) return [];
  const holder = { holder: id, operation: newOperationId() };
  return (await clients.volumes.acquire({ holder, mounts: wanted }, { signal })).mounts;
}

function requestOf(mount: ResolvedMount, isReadOnly: boolean): MountRequest {
  const { type, target, propagation, subpath, recursive } = mount;
  const readOnly = mount.readOnly || isReadOnly;
  if (type === MountType.VOLUME) {
    return MountRequest.fromPartial({ type, source: mount.name, target, readOnly, subpath, driver: mount.driver });
  }
  return MountRequest.fromPartial({ type, source: mount.source, target, readOnly, propagation, recursive });
}

/** `CONTAINER[:ro|rw]`; SELinux's labels are taken without effect. */
function parseSource(text: string): { container: string; isReadOnly: boolean } {
  const [container = "", mode = "rw", ...more] = text.split(":");
  const words = mode.split(",");
  if (container !== "" && more.length === 0 && words.every((word) => ["ro", "rw", "z", "Z"].includes(word))) {
    return { container, isReadOnly: words.includes("ro") };
  }
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "VOLUMES_FROM_INVALID",
    what: `use --volumes-from ${text}`,
    why: `invalid volumes-from specification: ${text}`,
    fix: "write CONTAINER or CONTAINER:ro",
  });
}
