-- Up Migration
-- The subnets of a network, of both families. The first IPv4 one stands in its network's row as well, where replicas look
-- that know no other.
create table pools (
  network_id text not null references networks (id) on delete cascade,
  node text not null,
  position smallint not null,
  subnet cidr not null,
  ip_range cidr,
  gateway inet not null,
  -- Addresses that others have, by name.
  aux_addresses jsonb not null default '{}',
  -- The gateway and those: never given to a container.
  reserved inet[] not null,
  first_address inet not null,
  last_address inet not null,
  last_given inet,
  primary key (network_id, position),
  constraint pools_subnet exclude using gist (text_range(node, node, '[]') with &&, subnet inet_ops with &&)
);

insert into pools (network_id, node, position, subnet, ip_range, gateway, reserved, first_address, last_address, last_given)
select id, node, 0, subnet, ip_range, gateway, array[gateway], first_address, last_address, last_given
  from networks where subnet is not null;

create function add_pool() returns trigger language plpgsql as $$
begin
  insert into pools (network_id, node, position, subnet, ip_range, gateway, reserved, first_address, last_address)
  values (new.id, new.node, 0, new.subnet, new.ip_range, new.gateway, array[new.gateway], new.first_address,
          new.last_address)
  on conflict (network_id, position) do nothing;
  return null;
end $$;

-- For a network that such a replica makes; ours come with their pools.
create trigger networks_pool after insert on networks for each row when (new.subnet is not null)
execute function add_pool();

alter table endpoints add column address6 inet;
alter table endpoints add constraint endpoints_address6 unique (network_id, address6);
