-- Up Migration
create table events (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  type text not null,
  action text not null,
  subject text not null,
  attributes jsonb not null default '{}'
);
create index events_position on events (xid, id);

-- Operations whose steps came by: a `do` that arrives after its `undo` is refused, and the two never run at once.
create table step_operations (
  operation text primary key,
  is_undone boolean not null default false,
  touched_at timestamptz not null default now()
);
