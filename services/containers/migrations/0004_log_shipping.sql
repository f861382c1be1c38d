-- Up Migration
-- Whether its log driver sends on what it writes: of those the duty asks every other second.
alter table containers add column ships_logs boolean not null
  generated always as (coalesce(spec #>> '{logging,driver}' in ('journald', 'syslog'), false)) stored;
create index containers_shipping on containers (node) where ships_logs;
-- The most memory that the last run used; null: it has not ended, or the kernel did not say.
alter table containers add column peak_memory_bytes bigint;
