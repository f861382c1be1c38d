import type { Db } from "../../kit/database.ts";
import type { Endpoint, Holding } from "../holding.ts";
import { FAMILIES, type Family } from "../ipam/address.ts";
import type { NetworkFacts } from "../network.ts";
import type { Sysctls } from "../sandbox/sysctls.ts";
import { macOf } from "./endpoints.ts";
import { HOST_IP } from "./ports.ts";

interface HoldingRow extends Omit<Holding, "netnsId"> {
  readonly netnsId: string | null;
}

const HOLDING = `
  s.holder, s.holder_name as "holderName", s.acquired_by as "acquiredBy", s.is_active as "isActive",
  s.netns_id as "netnsId", s.dns_servers as "dnsServers",
  coalesce((
    select json_agg(json_build_object(
             'id', e.id, 'interfaceName', e.interface_name, 'hostLink', e.host_link,
             'address', coalesce(host(e.address), ''), 'address6', coalesce(host(e.address6), ''), 'mac', e.mac,
             'aliases', e.aliases,
             'gwPriority', e.gw_priority, 'links', e.links, 'sysctls', e.sysctls,
             'connectedBy', coalesce(e.connected_by, ''),
             'network', json_strip_nulls(json_build_object(
               'id', n.id, 'name', n.name, 'driver', n.driver, 'bridge', coalesce(n.bridge, ''),
               'isInternal', n.is_internal, 'isMasqueraded', n.is_masqueraded, 'mtu', n.mtu, 'settings', n.settings, 'pools', coalesce((
                 select json_agg(json_build_object('subnet', l.subnet::text, 'gateway', host(l.gateway))
                        order by l.position)
                   from pools l where l.network_id = n.id), '[]')))
           ) order by e.position)
      from endpoints e join networks n on n.id = e.network_id where e.holder = s.holder), '[]') as endpoints,
  coalesce((
    select json_agg(json_build_object(
             'endpointId', p.endpoint_id, 'hostIp', ${HOST_IP},
             'protocol', p.protocol, 'hostPort', p.host_port, 'containerPort', p.container_port,
             'isChosen', p.is_chosen
           ) order by p.position)
      from published_ports p join endpoints e on e.id = p.endpoint_id where e.holder = s.holder), '[]') as ports`;

function toHolding(row: HoldingRow): Holding {
  const endpoints = row.endpoints.map((endpoint) => ({ ...endpoint, mac: macOf(endpoint) }));
  return { ...row, endpoints, netnsId: row.netnsId ?? undefined };
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

/** Whether any container that runs has an interface on a network of ours. */
export async function hasInterfaces(db: Db, node: string): Promise<boolean> {
  const { rows } = await db.query<{ has: boolean }>(
    `select exists (select from sandboxes s join endpoints e on e.holder = s.holder
                     where s.node = $1 and s.is_active and e.host_link <> '') as has`,
    [node],
  );
  return rows[0]?.has ?? false;
}

export interface NewEndpoint {
  readonly id: string;
  readonly network: NetworkFacts;
  readonly interfaceName: string;
  readonly hostLink: string;
  /** Empty, as of IPv6: a free one, where the network gives any of the family. */
  readonly address: string;
  readonly address6: string;
  /** Empty: the one that goes with its address. */
  readonly mac: string;
  readonly aliases: readonly string[];
  readonly gwPriority: number;
  readonly links: readonly string[];
  readonly sysctls: Sysctls;
  readonly connectedBy: string;
}

export interface NewHolding {
  readonly holder: string;
  readonly holderName: string;
  readonly acquiredBy: string;
  readonly netnsId: string | undefined;
  readonly dnsServers: readonly string[];
  readonly endpoints: readonly NewEndpoint[];
  /** They come behind those that the holder has, whose row the transaction has locked. Left out: it has nothing yet. */
  readonly firstPosition?: number;
}

export interface GivenAddresses {
  readonly id: string;
  /** Null, as of IPv6: none is free, or the network has none of the family. */
  readonly address: string | null;
  readonly address6: string | null;
}

/**
 * The next address of a pool that nobody has, behind the one that it gave last. The subqueries' `generate_series` is lazy
 * only where it stands in a select list: 0.1 ms however large the pool is.
 */
function nextAddress(pool: string): string {
  const isFree = `a <> all (${pool}.reserved)
    and not exists (select from endpoints e where e.network_id = ${pool}.network_id and e.address = a)
    and not exists (select from endpoints e where e.network_id = ${pool}.network_id and e.address6 = a)`;
  return `coalesce(
    (select a from (select coalesce(${pool}.last_given, ${pool}.first_address - 1) + generate_series(
                      1, ${pool}.last_address - coalesce(${pool}.last_given, ${pool}.first_address - 1)) as a) behind
      where ${isFree} limit 1),
    (select a from (select ${pool}.first_address + generate_series(
                      0, ${pool}.last_given - ${pool}.first_address) as a) round
      where ${isFree} limit 1))`;
}

/** Of an endpoint's family: what was named, else what its network's first pool with a free one gives. */
function ownAddress(column: string, family: Family): string {
  return `coalesce(nullif(r.${column}, '')::inet, (
    select g.address from given g
     where g.network_id = r."networkId" and g.family = ${family} and g.address is not null order by g.position limit 1))`;
}

/**
 * A holder's rows, with free addresses for each endpoint that needs some. The pool's row is locked until the transaction
 * ends, so two never look for one at the same time; addresses that somebody named are the exception, and endpoints_address
 * finds it. Returns the endpoints' addresses; undefined: the holder has rows already. Violates endpoints_address,
 * endpoints_address6, endpoints_in_network.
 */
export async function insertHolding(
  db: Db,
  node: string,
  holding: NewHolding,
): Promise<readonly GivenAddresses[] | undefined> {
  const { holder, holderName, acquiredBy, netnsId, dnsServers, endpoints, firstPosition } = holding;
  const requested = endpoints.map(({ network, ...endpoint }, index) => ({
    ...endpoint,
    position: (firstPosition ?? 0) + index,
    networkId: network.id,
    families: FAMILIES.filter((family) => (family === 4 ? endpoint.address : endpoint.address6) === ""),
  }));
  // in one order, so that two who lock the rows of several networks never wait for each other
  requested.sort((one, other) => (one.networkId < other.networkId ? -1 : 1));
  const { rows } = await db.query<GivenAddresses>(
    `with sandbox as (
       insert into sandboxes (holder, node, holder_name, acquired_by, netns_id, is_active, dns_servers)
       values ($1, $2, $3, $4, $5, true, $7)
       on conflict (holder) do update set holder = excluded.holder where $8 returning holder
     ), requested as (
       select * from jsonb_to_recordset($6::jsonb) as r (
         id text, "networkId" text, position smallint, "interfaceName" text, "hostLink" text, address text,
         address6 text, mac text, aliases jsonb, "gwPriority" integer, links jsonb, sysctls jsonb, "connectedBy" text,
         families integer[])
        where exists (select from sandbox)
     ), given as (
       update pools p set last_given = ${nextAddress("p")}
         from requested r
        where p.network_id = r."networkId" and family(p.subnet) = any (r.families)
          and not exists (select from pools q where q.network_id = p.network_id and q.position < p.position
                             and family(q.subnet) = family(p.subnet) and ${nextAddress("q")} is not null)
       returning p.network_id, p.position, family(p.subnet) as family, p.last_given as address
     )
     insert into endpoints (id, holder, network_id, position, interface_name, host_link, address, address6, mac, aliases,
                            gw_priority, links, sysctls, connected_by)
     select r.id, $1, r."networkId", r.position, r."interfaceName", r."hostLink", ${ownAddress("address", 4)},
            ${ownAddress("address6", 6)}, r.mac, r.aliases, r."gwPriority", r.links, r.sysctls,
            nullif(r."connectedBy", '')
       from requested r
     returning id, host(address) as address, host(address6) as address6`,
    [
      ...[holder, node, holderName, acquiredBy, netnsId ?? null, JSON.stringify(requested), JSON.stringify(dnsServers)],
      firstPosition !== undefined,
    ],
  );
  return rows.length === 0 ? undefined : rows;
}

/** Undefined: it has no rows. */
export async function renameHolding(db: Db, node: string, holder: string, name: string): Promise<Holding | undefined> {
  const { rows } = await db.query<HoldingRow>(
    `with renamed as (update sandboxes set holder_name = $3 where holder = $2 and node = $1 returning *)
     select ${HOLDING} from renamed s`,
    [node, holder, name],
  );
  return rows.map(toHolding)[0];
}

/** Names of the network namespaces that rows own. */
export async function ownedNetnsIds(db: Db, node: string): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    "select netns_id as id from sandboxes where node = $1 and netns_id is not null",
    [node],
  );
  return new Set(rows.map(({ id }) => id));
}

/** False: it is active, or gone. Violates published_ports_free when somebody took one of its ports meanwhile. */
export async function activateHolding(
  db: Db,
  holding: Pick<Holding, "holder" | "holderName" | "netnsId"> & {
    readonly endpoints: readonly Pick<Endpoint, "id" | "hostLink" | "interfaceName">[];
  },
): Promise<boolean> {
  const { holder, holderName, netnsId, endpoints } = holding;
  const links = endpoints.map(({ id, hostLink, interfaceName }) => ({ id, hostLink, interfaceName }));
  const { rows } = await db.query<{ count: number }>(
    `with sandbox as (
       update sandboxes set is_active = true, netns_id = $2, holder_name = $3 where holder = $1 and not is_active
       returning holder
     ), links as (
       update endpoints e set host_link = l."hostLink", interface_name = l."interfaceName"
         from sandbox, jsonb_to_recordset($4::jsonb) as l (id text, "hostLink" text, "interfaceName" text)
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
