-- Up Migration
-- The operation that connected the holder to one more network; null: it had it from the beginning.
alter table endpoints add column connected_by text;
-- The default route goes through the network with the highest.
alter table endpoints add column gw_priority integer not null default 0;
-- Names by which this holder alone knows others on the network: container:alias.
alter table endpoints add column links jsonb not null default '[]';
-- Kernel settings of the interface, by their path below /proc/sys with IFNAME for its name.
alter table endpoints add column sysctls jsonb not null default '{}';
