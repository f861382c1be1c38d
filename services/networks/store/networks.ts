import type { Db } from "../../kit/database.ts";
import type { LabelFilter } from "../../kit/filters.ts";
import { type DriverName, type DriverSettings, type Network, type Pool, poolsOf, type StringMap } from "../network.ts";
import type { AddressPlan } from "../requests/wanted-pool.ts";

interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly driver: DriverName;
  readonly bridge: string | null;
  readonly is_built_in: boolean;
  readonly is_internal: boolean;
  readonly is_attachable: boolean;
  readonly is_masqueraded: boolean;
  readonly mtu: number | null;
  readonly settings: DriverSettings;
  readonly pools: readonly Pool[];
  readonly labels: StringMap;
  readonly options: StringMap;
  readonly created_at: Date;
}

const NETWORK = `
  n.id, n.name, n.driver, n.bridge, n.is_built_in, n.is_internal, n.is_attachable, n.is_masqueraded, n.mtu, n.settings,
  n.labels, n.options, n.created_at,
  coalesce((
    select json_agg(json_build_object(
             'subnet', p.subnet::text, 'ipRange', coalesce(p.ip_range::text, ''), 'gateway', host(p.gateway),
             'auxAddresses', p.aux_addresses) order by p.position)
      from pools p where p.network_id = n.id), '[]') as pools`;

function toNetwork(row: NetworkRow): Network {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver,
    bridge: row.bridge ?? "",
    isBuiltIn: row.is_built_in,
    isInternal: row.is_internal,
    isAttachable: row.is_attachable,
    isMasqueraded: row.is_masqueraded,
    mtu: row.mtu ?? undefined,
    settings: row.settings,
    pools: row.pools,
    labels: row.labels,
    options: row.options,
    createdAt: row.created_at,
  };
}

export interface NewNetwork extends Omit<Network, "createdAt" | "pools"> {
  readonly pools: readonly AddressPlan[];
}

/**
 * Violates networks_name, networks_bridge, or networks_subnet and pools_subnet when it overlaps another network's. Waits
 * for an unfinished transaction that makes one like it.
 */
export async function insertNetwork(db: Db, node: string, network: NewNetwork): Promise<Network> {
  const [first] = poolsOf(network, 4); // for a replica that knows no other
  const { rows } = await db.query<Pick<NetworkRow, "created_at">>(
    `with network as (
       insert into networks (id, node, name, driver, bridge, is_built_in, is_internal, is_attachable, is_masqueraded,
                             mtu, subnet, ip_range, gateway, first_address, last_address, labels, options,
                             settings)
       values ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, $9, $10, nullif($11, '')::cidr, nullif($12, '')::cidr,
               nullif($13, '')::inet, nullif($14, '')::inet, nullif($15, '')::inet, $16, $17, $19)
       returning created_at
     ), made as (
       insert into pools (network_id, node, position, subnet, ip_range, gateway, aux_addresses, reserved, first_address,
                          last_address)
       select $1, $2, p.position, p.subnet, nullif(p."ipRange", '')::cidr, p.gateway, p."auxAddresses", p.reserved,
              p."firstAddress", p."lastAddress"
         from jsonb_to_recordset($18::jsonb) as p (position smallint, subnet cidr, "ipRange" text, gateway inet,
              "auxAddresses" jsonb, reserved inet[], "firstAddress" inet, "lastAddress" inet)
     )
     select created_at from network`,
    [
      network.id,
      node,
      network.name,
      network.driver,
      network.bridge,
      network.isBuiltIn,
      network.isInternal,
      network.isAttachable,
      network.isMasqueraded,
      network.mtu ?? null,
      first?.subnet ?? "",
      first?.ipRange ?? "",
      first?.gateway ?? "",
      first?.firstAddress ?? "",
      first?.lastAddress ?? "",
      JSON.stringify(network.labels),
      JSON.stringify(network.options),
      JSON.stringify(network.pools.map(poolRow)),
      JSON.stringify(network.settings),
    ],
  );
  const [made] = rows;
  if (made === undefined) throw new Error("an inserted network has no row");
  const pools = network.pools.map(({ firstAddress: _first, lastAddress: _last, ...pool }) => pool);
  return { ...network, pools, createdAt: made.created_at };
}

function poolRow(pool: AddressPlan, position: number) {
  return { ...pool, position, reserved: [pool.gateway, ...Object.values(pool.auxAddresses)] };
}

/** All of a node's, by name. */
export async function allNetworks(db: Db, node: string): Promise<Network[]> {
  const { rows } = await db.query<NetworkRow>(`select ${NETWORK} from networks n where n.node = $1 order by n.name`, [
    node,
  ]);
  return rows.map(toNetwork);
}

/** Those whose name or id one of the references is, or whose id begins with it. */
export async function networksLike(db: Db, node: string, refs: readonly string[]): Promise<Network[]> {
  const { rows } = await db.query<NetworkRow>(
    `select ${NETWORK} from networks n
      where n.node = $1 and (n.name = any($2) or exists (select from unnest($3::text[]) p where starts_with(n.id, p)))`,
    [node, refs, refs.filter((ref) => /^[0-9a-f]+$/.test(ref))],
  );
  return rows.map(toNetwork);
}

/** The network, nobody else's until the transaction ends: no endpoint comes to it meanwhile. Undefined: it is gone. */
export async function lockNetwork(db: Db, id: string): Promise<Network | undefined> {
  const { rows } = await db.query<NetworkRow>(`select ${NETWORK} from networks n where n.id = $1 for update`, [id]);
  return rows.map(toNetwork)[0];
}

export async function deleteNetwork(db: Db, id: string): Promise<void> {
  await db.query("delete from networks where id = $1", [id]);
}

export interface NetworkConditions {
  readonly dangling?: boolean;
  readonly driver?: readonly string[];
  /** Parts of ids. */
  readonly id?: readonly string[];
  readonly label?: LabelFilter;
  /** Regular expressions. */
  readonly name?: readonly string[];
  readonly isBuiltIn?: boolean;
}

/** All but the engine's own, by name. */
export async function customNetworks(db: Db, node: string): Promise<Network[]> {
  const { rows } = await db.query<NetworkRow>(
    `select ${NETWORK} from networks n where n.node = $1 and not n.is_built_in order by n.name`,
    [node],
  );
  return rows.map(toNetwork);
}

/** By name, at most `limit` behind the name `after`. */
export async function listNetworks(
  db: Db,
  node: string,
  { dangling, driver, id, label, name, isBuiltIn }: NetworkConditions,
  { after, limit }: { after: string; limit: number },
): Promise<Network[]> {
  const { rows } = await db.query<NetworkRow>(
    `select ${NETWORK} from networks n
      where n.node = $1 and n.name > $2
        and ($3::boolean is null or $3 <> (n.is_built_in or exists (select from endpoints e where e.network_id = n.id)))
        and ($4::text[] is null or n.driver = any($4))
        and ($5::text[] is null or exists (select from unnest($5) part where strpos(n.id, part) > 0))
        and ($6::text[] is null or n.labels ?& $6)
        and ($7::jsonb[] is null or n.labels @> all($7))
        and ($8::text[] is null or n.name ~ any($8))
        and ($9::boolean is null or n.is_built_in = $9)
      order by n.name limit $10`,
    [
      node,
      after,
      dangling ?? null,
      driver ?? null,
      id ?? null,
      label?.keys ?? null,
      label?.pairs.map((pair) => JSON.stringify(pair)) ?? null,
      name ?? null,
      isBuiltIn ?? null,
      limit,
    ],
  );
  return rows.map(toNetwork);
}
