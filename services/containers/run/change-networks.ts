import type { Database } from "../../kit/database.ts";
import { changeHostsFile } from "../bundle/change-hosts-file.ts";
import { hostnameOf } from "../bundle/config.ts";
import { addressLine } from "../bundle/host-files.ts";
import { findContainer } from "../find.ts";
import type { ContainerHost } from "../host/host.ts";
import { isUp } from "../lifecycle.ts";
import { containerPaths } from "../paths.ts";
import type { ContainerId } from "../spec/spec.ts";
import { type ContainerRow, lockContainer, recordNetworks } from "../store/containers.ts";
import { addressesOf, type Given } from "./given.ts";
import type { Serial } from "./serial.ts";

export interface NetworksChange {
  /** What the container has now; undefined: nothing yet, it was never started. */
  readonly given: Pick<Given, "endpoints" | "ports"> | undefined;
  /** The kept wish and the kept summary with the change in them. */
  readonly rewish: (row: ContainerRow) => { readonly wish: Buffer; readonly summary: Buffer };
}

export interface ChangeNetworksDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly serial: Serial;
}

/**
 * What a container asks of networks from now on, and what it has: the row first, then the file that it reads names from.
 * Done again it changes nothing. One that is on its way out is left alone. Throws NOT_FOUND CONTAINER_NOT_FOUND.
 */
export async function changeNetworks(
  reference: string,
  change: NetworksChange,
  { db, host, serial }: ChangeNetworksDeps,
  signal: AbortSignal,
): Promise<void> {
  const { id } = await findContainer(db, reference);
  await serial.run(id, () => changeNow(id, change, { db, host }), signal);
}

async function changeNow(
  id: string,
  { given, rewish }: NetworksChange,
  { db, host }: Pick<ChangeNetworksDeps, "db" | "host">,
): Promise<void> {
  const row = await db.transaction(async (tx) => {
    const found = await lockContainer(tx, id);
    if (found === undefined || found.state === "removing") return undefined;
    const after = found.given === null || given === undefined ? found.given : { ...found.given, ...given };
    await recordNetworks(tx, id, { ...rewish(found), given: after });
    return found;
  });
  if (row === undefined || row.given === null || given === undefined || !isUp(row.state)) return;
  const name = {
    hostname: hostnameOf({
      ...{ id: row.id as ContainerId, spec: row.spec, netnsPath: row.given.netnsPath || undefined },
      others: { joined: new Map() }, // who shares another's network has none of its own to change
    }),
    domainname: row.spec.domainname,
  };
  const lines = ({ endpoints }: Pick<Given, "endpoints">) =>
    endpoints.flatMap(addressesOf).map((one) => addressLine(one, name));
  const now = lines(given);
  const gone = lines(row.given).filter((line) => !now.includes(line));
  await changeHostsFile(containerPaths(host.root, id).hosts, { add: now, remove: gone });
}
