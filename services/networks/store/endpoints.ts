import type { Db } from "../../kit/database.ts";
import type { Endpoint } from "../holding.ts";
import { macOfAddress } from "../ipam/mac.ts";

/** A row has a MAC only where somebody named one. */
export function macOf({ address, address6, mac }: Pick<Endpoint, "address" | "address6" | "mac">): string {
  const either = address || address6;
  return mac === "" && either !== "" ? macOfAddress(either) : mac;
}

/** Who has an address of a network. */
export async function addressOwner(
  db: Db,
  networkId: string,
  address: string,
): Promise<{ holder: string; holderName: string } | undefined> {
  const { rows } = await db.query<{ holder: string; holderName: string }>(
    `select s.holder, s.holder_name as "holderName" from endpoints e join sandboxes s on s.holder = e.holder
      where e.network_id = $1 and (e.address = $2 or e.address6 = $2)`,
    [networkId, address],
  );
  return rows[0];
}

export interface AttachedEndpoint extends Omit<Endpoint, "network"> {
  readonly networkId: string;
  readonly holder: string;
  readonly holderName: string;
  readonly isActive: boolean;
}

/** The endpoints on these networks, of stopped holders too, by holder. */
export async function endpointsOn(db: Db, networkIds: readonly string[]): Promise<AttachedEndpoint[]> {
  const { rows } = await db.query<AttachedEndpoint>(
    `select e.network_id as "networkId", e.id, e.interface_name as "interfaceName", e.host_link as "hostLink",
            coalesce(host(e.address), '') as address, coalesce(host(e.address6), '') as address6, e.mac, e.aliases,
            e.gw_priority as "gwPriority", e.links, e.sysctls, coalesce(e.connected_by, '') as "connectedBy",
            s.holder, s.holder_name as "holderName",
            s.is_active as "isActive"
       from endpoints e join sandboxes s on s.holder = e.holder where e.network_id = any($1) order by s.holder`,
    [networkIds],
  );
  return rows.map((row) => ({ ...row, mac: macOf(row) }));
}
