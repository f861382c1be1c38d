import type { Db } from "../../kit/database.ts";
import { CtlError } from "../../kit/errors.ts";
import type { HostsLine } from "../bundle/host-files.ts";
import type { JoinedContainer } from "../bundle/namespaces.ts";
import { findContainer } from "../find.ts";
import { isUp } from "../lifecycle.ts";
import { containerPaths } from "../paths.ts";
import type { ContainerSpec } from "../spec/spec.ts";
import type { ContainerRow } from "../store/containers.ts";
import { shmPath } from "./bundle-mounts.ts";
import type { Given } from "./given.ts";

/** What a run takes from other containers that run now. */
export interface Others {
  /** By `container:NAME` as it was asked for. */
  readonly joined: ReadonlyMap<string, JoinedContainer>;
  /** Lines of /etc/hosts. */
  readonly links: readonly HostsLine[];
}

/**
 * The containers whose namespaces are joined, and those that are linked. No look-up for a container without.
 * Throws NOT_FOUND CONTAINER_NOT_FOUND; FAILED_PRECONDITION LINK_REFUSED.
 */
export async function findOthers(
  row: Pick<ContainerRow, "name" | "spec">,
  given: Given,
  { db, root }: { readonly db: Db; readonly root: string },
): Promise<Others> {
  const joined = new Map<string, JoinedContainer>();
  for (const reference of joinedBy(row.spec)) {
    const other = await findContainer(db, reference);
    const bundlePath = containerPaths(root, other.id).bundle;
    const isShared = other.spec.namespaces.ipc === "shareable";
    joined.set(reference, {
      pid: isUp(other.state) ? other.pid : undefined,
      shmPath: isShared ? shmPath(bundlePath) : undefined,
      hostname: other.spec.hostname || other.id.slice(0, 12),
      bundlePath,
    });
  }
  const links: HostsLine[] = [];
  for (const link of row.spec.links ?? []) links.push(await resolveLink(link, row.name, given, db));
  return { joined, links };
}

/** The containers that a wish names, whether or not they run now. Throws NOT_FOUND CONTAINER_NOT_FOUND. */
export async function checkOthers(spec: ContainerSpec, db: Db): Promise<void> {
  const linked = (spec.links ?? []).map((link) => link.slice(0, link.indexOf(":")));
  for (const reference of [...joinedBy(spec), ...linked]) await findContainer(db, reference);
}

function joinedBy({ namespaces: { ipc, pid, network = "" } }: Pick<ContainerSpec, "namespaces">): Set<string> {
  const modes = [ipc, pid, network].filter((mode) => mode.startsWith("container:"));
  return new Set(modes.map((mode) => mode.slice("container:".length)));
}

/** Docker's line: the alias, the other's host name and its name, at its address in a network of both. */
async function resolveLink(link: string, name: string, given: Given, db: Db): Promise<HostsLine> {
  const [reference = "", alias = reference] = link.split(":");
  const other = await findContainer(db, reference);
  const refused = (why: string, fix: string) =>
    new CtlError("FAILED_PRECONDITION", { reason: "LINK_REFUSED", what: `link ${name} to ${other.name}`, why, fix });
  if (!isUp(other.state)) {
    const why = `Cannot link to a non running container: /${other.name} AS /${name}/${alias}`;
    throw refused(why, `start it first: ctl start ${other.name}`);
  }
  const mine = new Set(given.endpoints.map(({ networkId }) => networkId));
  const shared = other.given?.endpoints.find(({ networkId, ipv4Address }) => mine.has(networkId) && ipv4Address !== "");
  if (shared === undefined) throw refused("they have no network in common", "connect both to one network");
  const hostname = other.spec.hostname || other.id.slice(0, 12);
  return { address: shared.ipv4Address, names: [...new Set([alias, hostname, other.name])] };
}
