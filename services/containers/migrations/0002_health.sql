-- Up Migration
-- One row for each container that has a health check.
create table health (
  container_id text primary key references containers on delete cascade,
  status text not null default 'starting' check (status in ('starting', 'healthy', 'unhealthy')),
  failing_streak int not null default 0,
  -- The last five probes, oldest first.
  log jsonb not null default '[]',
  -- What an unhealthy verdict led to last, and why: for people.
  consequence text not null default '',
  -- Restarts for ill health in a row, and the wait before the one that is under way; null: none is.
  restarts int not null default 0,
  restart_delay_ms int
);
