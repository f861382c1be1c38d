import type { Db } from "../../kit/database.ts";
import type { Endpoint, Holding, Port } from "../holding.ts";
import { macOfAddress } from "../ipam/mac.ts";
import type { NetworkFacts } from "../network.ts";
import type { PortProtocol } from "../nftables/ports.ts";

interface HoldingRow extends Omit<Holding, "netnsId"> {
  readonly netnsId: string | null;
}

const HOLDING = `
  s.holder, s.holder_name as "holderName", s.acquired_by as "acquiredBy", s.is_active as "isActive",
  s.netns_id as "netnsId",
  coalesce((
    select json_agg(json_build_object(
             'id', e.id, 'interfaceName', e.interface_name, 'hostLink', e.host_link,
             'address', coalesce(host(e.address), ''), 'mac', e.mac, 'aliases', e.aliases,
             'network', json_strip_nulls(json_build_object(
               'id', n.id, 'name', n.name, 'driver', n.driver, 'bridge', coalesce(n.bridge, ''),
               'isInternal', n.is_internal, 'isMasqueraded', n.is_masqueraded, 'mtu', n.mtu,
               'subnet', coalesce(n.subnet::text, ''), 'gateway', coalesce(host(n.gateway), '')))
           ) order by e.position)
      from endpoints e join networks n on n.id = e.network_id where e.holder = s.holder), '[]') as endpoints,
  coalesce((
    select json_agg(json_build_object(
             'endpointId', p.endpoint_id, 'hostIp', case masklen(p.host) when 0 then '' else host(p.host) end,
             'protocol', p.protocol, 'hostPort', p.host_port, 'containerPort', p.container_port,
             'isChosen', p.is_chosen
           ) order by p.position)
      from published_ports p join endpoints e on e.id = p.endpoint_id where e.holder = s.holder), '[]') as ports`;

function toHolding(row: HoldingRow): Holding {
  const endpoints = row.endpoints.map((endpoint) => ({ ...endpoint, mac: macOf(endpoint) }));
  return { ...row, endpoints, netnsId: row.netnsId ?? undefined };
}

/** A row has a MAC only where somebody named one. */
function macOf({ address, mac }: Pick<Endpoint, "address" | "mac">): string {
  return mac === "" && address !== "" ? macOfAddress(address) : mac;
}

export async function holdingOf(db: Db, node: string, holder: string): Promise<Holding | undefined> {
  const { rows } = await db.query<HoldingRow>(
    `select ${HOLDING} from sandboxes s where s.holder = $2 and s.node = $1`,
    [node, holder],
  );
  return rows.map(toHolding)[0];
}

/** The holding, nobody else's until the transaction ends. */
export async function lockHolding(db: Db, node: string, holder: string): Promise<Holding | undefined> {
  await db.query("select from sandboxes where holder = $2 and node = $1 for update", [node, holder]);
  return holdingOf(db, node, holder); // behind the lock: who was waited for may have changed it
}

/** All of a node's, for comparing them with the host. */
export async function allHoldings(db: Db, node: string): Promise<Holding[]> {
  const { rows } = await db.query<HoldingRow>(`select ${HOLDING} from sandboxes s where s.node = $1`, [node]);
  return rows.map(toHolding);
}

export interface NewEndpoint {
  readonly id: string;
  readonly network: NetworkFacts;
  readonly interfaceName: string;
  readonly hostLink: string;
  /** Empty: a free one, where the driver gives addresses. */
  readonly address: string;
  /** Empty: the one that goes with its address. */
  readonly mac: string;
  readonly aliases: readonly string[];
}

export interface NewHolding {
  readonly holder: string;
  readonly holderName: string;
  readonly acquiredBy: string;
  readonly netnsId: string | undefined;
  readonly endpoints: readonly NewEndpoint[];
}

/**
 * A holder's rows, with a free address for each endpoint that needs one: the next behind the one that its network gave
 * last. The network's row is locked until the transaction ends, so two never look for one at the same time; addresses that
 * somebody named are the exception, and endpoints_address finds it. Returns the addresses by endpoint; null: none is free;
 * undefined: the holder has rows already. Violates endpoints_address, endpoints_in_network. The subquery's `generate_series` is lazy only where it
 * stands in a select list: 0.1 ms however large the network is.
 */
export async function insertHolding(
  db: Db,
  node: string,
  holding: NewHolding,
): Promise<ReadonlyMap<string, string | null> | undefined> {
  const { holder, holderName, acquiredBy, netnsId, endpoints } = holding;
  const requested = endpoints.map(({ network, ...endpoint }, position) => ({
    ...endpoint,
    position,
    networkId: network.id,
    wantsAddress: network.subnet !== "" && endpoint.address === "",
  }));
  // in one order, so that two who lock the rows of several networks never wait for each other
  requested.sort((one, other) => (one.networkId < other.networkId ? -1 : 1));
  const { rows } = await db.query<{ id: string; address: string | null }>(
    `with sandbox as (
       insert into sandboxes (holder, node, holder_name, acquired_by, netns_id, is_active)
       values ($1, $2, $3, $4, $5, true) on conflict (holder) do nothing returning holder
     ), requested as (
       select * from jsonb_to_recordset($6::jsonb) as r (
         id text, "networkId" text, position smallint, "interfaceName" text, "hostLink" text, address text, mac text,
         aliases jsonb, "wantsAddress" boolean)
        where exists (select from sandbox)
     ), given as (
       update networks n set last_given = coalesce(
         (select a from (select coalesce(n.last_given, n.first_address - 1) + generate_series(
                           1, n.last_address - coalesce(n.last_given, n.first_address - 1)) as a) behind
           where a <> n.gateway
             and not exists (select from endpoints e where e.network_id = n.id and e.address = a) limit 1),
         (select a from (select n.first_address + generate_series(0, n.last_given - n.first_address) as a) round
           where a <> n.gateway
             and not exists (select from endpoints e where e.network_id = n.id and e.address = a) limit 1))
         from requested r where n.id = r."networkId" and r."wantsAddress"
       returning n.id, n.last_given as address
     )
     insert into endpoints (id, holder, network_id, position, interface_name, host_link, address, mac, aliases)
     select r.id, $1, r."networkId", r.position, r."interfaceName", r."hostLink",
            coalesce(nullif(r.address, '')::inet, g.address), r.mac, r.aliases
       from requested r left join given g on g.id = r."networkId"
     returning id, host(address) as address`,
    [holder, node, holderName, acquiredBy, netnsId ?? null, JSON.stringify(requested)],
  );
  return rows.length === 0 ? undefined : new Map(rows.map(({ id, address }) => [id, address]));
}

/** Violates published_ports_free when somebody has one of them. */
export async function insertPorts(db: Db, node: string, ports: readonly Port[]): Promise<void> {
  if (ports.length === 0) return;
  const rows = ports.map((port, position) => ({
    ...port,
    position,
    host: port.hostIp === "" ? "0.0.0.0/0" : port.hostIp,
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
}

/** Every port of a node that is to be held against other programs. */
export async function reservedPortRows(db: Db, node: string): Promise<ReservedPortRow[]> {
  const { rows } = await db.query<ReservedPortRow>(
    `select e.holder, case masklen(p.host) when 0 then '' else host(p.host) end as "hostIp", p.protocol,
            p.host_port as port
       from published_ports p join endpoints e on e.id = p.endpoint_id
      where p.node = $1 and (p.is_active or p.is_chosen)`,
    [node],
  );
  return rows;
}

/** Names of the network namespaces that rows own. */
export async function ownedNetnsIds(db: Db, node: string): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    "select netns_id as id from sandboxes where node = $1 and netns_id is not null",
    [node],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Who has an address of a network. */
export async function addressOwner(
  db: Db,
  networkId: string,
  address: string,
): Promise<{ holder: string; holderName: string } | undefined> {
  const { rows } = await db.query<{ holder: string; holderName: string }>(
    `select s.holder, s.holder_name as "holderName" from endpoints e join sandboxes s on s.holder = e.holder
      where e.network_id = $1 and e.address = $2`,
    [networkId, address],
  );
  return rows[0];
}

/** False: it is active, or gone. Violates published_ports_free when somebody took one of its ports meanwhile. */
export async function activateHolding(
  db: Db,
  holding: Pick<Holding, "holder" | "holderName" | "netnsId"> & {
    readonly endpoints: readonly Pick<Endpoint, "id" | "hostLink">[];
  },
): Promise<boolean> {
  const { holder, holderName, netnsId, endpoints } = holding;
  const links = endpoints.map(({ id, hostLink }) => ({ id, hostLink }));
  const { rows } = await db.query<{ count: number }>(
    `with sandbox as (
       update sandboxes set is_active = true, netns_id = $2, holder_name = $3 where holder = $1 and not is_active
       returning holder
     ), links as (
       update endpoints e set host_link = l."hostLink"
         from sandbox, jsonb_to_recordset($4::jsonb) as l (id text, "hostLink" text)
        where e.holder = sandbox.holder and e.id = l.id
     ), ports as (
       update published_ports p set is_active = true
         from sandbox join endpoints e on e.holder = sandbox.holder where p.endpoint_id = e.id
     )
     select count(*)::int as count from sandbox`,
    [holder, netnsId ?? null, holderName, JSON.stringify(links)],
  );
  return rows[0]?.count === 1;
}

/** Its addresses and chosen ports stay its own. False: it is not active, has another sandbox by now, or is gone. */
export async function deactivateHolding(db: Db, holder: string, netnsId: string | undefined): Promise<boolean> {
  const { rows } = await db.query<{ count: number }>(
    `with sandbox as (
       update sandboxes set is_active = false, netns_id = null
        where holder = $1 and is_active and netns_id is not distinct from $2
       returning holder
     ), ports as (
       update published_ports p set is_active = false
         from sandbox join endpoints e on e.holder = sandbox.holder where p.endpoint_id = e.id
     )
     select count(*)::int as count from sandbox`,
    [holder, netnsId ?? null],
  );
  return rows[0]?.count === 1;
}

/**
 * All rows of the holder go, where this operation acquired them, or whichever did. Returns what it had; undefined: nothing.
 * What the other tables hold is read as it was before the statement.
 */
export async function deleteHolding(
  db: Db,
  node: string,
  holder: string,
  acquiredBy?: string,
): Promise<Holding | undefined> {
  const { rows } = await db.query<HoldingRow>(
    `with gone as (
       delete from sandboxes where holder = $2 and node = $1 and ($3::text is null or acquired_by = $3) returning *
     )
     select ${HOLDING} from gone s`,
    [node, holder, acquiredBy ?? null],
  );
  return rows.map(toHolding)[0];
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
            coalesce(host(e.address), '') as address, e.mac, e.aliases, s.holder, s.holder_name as "holderName",
            s.is_active as "isActive"
       from endpoints e join sandboxes s on s.holder = e.holder where e.network_id = any($1) order by s.holder`,
    [networkIds],
  );
  return rows.map((row) => ({ ...row, mac: macOf(row) }));
}
