import type { Db } from "../../kit/database.ts";
import type { Port } from "../holding.ts";
import type { DriverSettings } from "../network.ts";
import type { PortProtocol } from "../nftables/ports.ts";

const HOSTS: Readonly<Record<string, string>> = { "": "0.0.0.0/0", "::": "::/0" };
/** The other way round. */
export const HOST_IP = "case p.host when '0.0.0.0/0' then '' else host(p.host) end";

/** Violates published_ports_free when somebody has one of them. */
export async function insertPorts(db: Db, node: string, ports: readonly Port[], first = 0): Promise<void> {
  if (ports.length === 0) return;
  const rows = ports.map((port, position) => ({
    ...port,
    position: first + position,
    host: HOSTS[port.hostIp] ?? port.hostIp,
  }));
  await db.query(
    `insert into published_ports
            (endpoint_id, position, node, protocol, host, host_port, container_port, is_chosen, is_active)
     select p."endpointId", p.position, $1, p.protocol, p.host, p."hostPort", p."containerPort", p."isChosen", true
       from jsonb_to_recordset($2::jsonb) as p ("endpointId" text, position smallint, protocol text, host inet,
            "hostPort" integer, "containerPort" integer, "isChosen" boolean)
      order by p."hostPort", p.protocol`, // in one order, as above
    [node, JSON.stringify(rows)],
  );
}

/** Takes ports back, by what each leads from. */
export async function deletePorts(db: Db, node: string, ports: readonly Port[]): Promise<void> {
  const rows = ports.map((port) => ({ ...port, host: HOSTS[port.hostIp] ?? port.hostIp }));
  await db.query(
    `delete from published_ports d
      using jsonb_to_recordset($2::jsonb) as p ("endpointId" text, protocol text, host inet, "hostPort" integer)
      where d.node = $1 and d.endpoint_id = p."endpointId" and d.protocol = p.protocol and d.host = p.host
        and d.host_port = p."hostPort"`,
    [node, JSON.stringify(rows)],
  );
}

/** Behind which position a holder's next ports come. */
export async function nextPosition(db: Db, endpointId: string): Promise<number> {
  const { rows } = await db.query<{ next: number }>(
    "select coalesce(max(position) + 1, 0)::int as next from published_ports where endpoint_id = $1",
    [endpointId],
  );
  return rows[0]?.next ?? 0;
}

/** Who has one of these ports, and which. */
export interface PortOwnerRow {
  readonly holder: string;
  readonly holderName: string;
  readonly protocol: string;
  readonly hostPort: number;
}

/** The ports of a node that nobody else can publish: all addresses' or some address's. */
export async function takenPorts(db: Db, node: string): Promise<PortOwnerRow[]> {
  const { rows } = await db.query<PortOwnerRow>(
    `select s.holder, s.holder_name as "holderName", p.protocol, p.host_port as "hostPort"
       from published_ports p join endpoints e on e.id = p.endpoint_id join sandboxes s on s.holder = e.holder
      where p.node = $1 and (p.is_active or p.is_chosen)`,
    [node],
  );
  return rows;
}

export interface ReservedPortRow {
  readonly holder: string;
  /** Empty: all of the host's addresses. */
  readonly hostIp: string;
  readonly protocol: PortProtocol;
  readonly port: number;
  /** What it leads to, while its container runs. */
  readonly containerPort: number;
  readonly isActive: boolean;
  readonly address: string;
  readonly address6: string;
  readonly settings: DriverSettings;
}

/** Every port of a node that is to be held against other programs. */
export async function reservedPortRows(db: Db, node: string): Promise<ReservedPortRow[]> {
  const { rows } = await db.query<ReservedPortRow>(
    `select e.holder, ${HOST_IP} as "hostIp", p.protocol,
            p.host_port as port, p.container_port as "containerPort", p.is_active as "isActive",
            coalesce(host(e.address), '') as address, coalesce(host(e.address6), '') as address6, n.settings
       from published_ports p join endpoints e on e.id = p.endpoint_id join networks n on n.id = e.network_id
      where p.node = $1 and (p.is_active or p.is_chosen)`,
    [node],
  );
  return rows;
}
