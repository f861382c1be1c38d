-- Up Migration
-- With it text can be in an exclusion constraint (as the range of one point), without an extension.
create type text_range as range (subtype = text, collation = "C");

create table networks (
  -- 64 hexadecimal digits
  id text primary key,
  node text not null,
  -- in the order of bytes, so that pages of a list agree with the index
  name text collate "C" not null,
  -- bridge, host or none
  driver text not null,
  -- The link's name on the host; null for drivers that have none.
  bridge text,
  is_built_in boolean not null,
  is_internal boolean not null,
  is_attachable boolean not null,
  is_masqueraded boolean not null,
  mtu integer,
  subnet cidr,
  ip_range cidr,
  gateway inet,
  -- Containers' addresses are taken from here, going on behind the one given last: a freed one rests for a round.
  first_address inet,
  last_address inet,
  last_given inet,
  labels jsonb not null default '{}',
  options jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint networks_name unique (node, name),
  constraint networks_bridge unique (node, bridge),
  constraint networks_subnet exclude using gist (text_range(node, node, '[]') with &&, subnet inet_ops with &&)
);

-- What a holder (a container) has; while it is stopped, its addresses and the ports that were chosen for it stay its own.
create table sandboxes (
  holder text primary key,
  node text not null,
  holder_name text not null,
  acquired_by text not null,
  is_active boolean not null,
  -- Name of the namespace's mount; null: the host's own namespace, or none as long as it is not active.
  netns_id text,
  acquired_at timestamptz not null default now(),
  constraint sandboxes_netns unique (node, netns_id)
);

create table endpoints (
  id text primary key,
  holder text not null references sandboxes (holder) on delete cascade,
  network_id text not null constraint endpoints_in_network references networks (id),
  -- In the order of the request: the first has eth0.
  position smallint not null,
  -- In the sandbox; empty for drivers that give none.
  interface_name text not null,
  -- The other end of the veth pair.
  host_link text not null,
  address inet,
  mac text not null,
  aliases jsonb not null default '[]',
  constraint endpoints_address unique (network_id, address),
  constraint endpoints_network unique (holder, network_id)
);

create table published_ports (
  endpoint_id text not null references endpoints (id) on delete cascade,
  position smallint not null,
  node text not null,
  protocol text not null,
  -- 0.0.0.0/0 for all of the host's addresses
  host inet not null,
  host_port integer not null,
  container_port integer not null,
  -- Nobody named this very port: it stays reserved while the container is stopped, so that it comes back.
  is_chosen boolean not null,
  is_active boolean not null,
  primary key (endpoint_id, position),
  -- A port of all addresses and the same of one address cannot both be published.
  constraint published_ports_free exclude using gist (
    int4range(host_port, host_port, '[]') with &&,
    text_range(node || ' ' || protocol, node || ' ' || protocol, '[]') with &&,
    host inet_ops with &&
  ) where (is_active or is_chosen)
);
create index published_ports_by_node on published_ports (node);
