-- Up Migration
-- What crosses services is one row: written before its first step and at its end.
create table operations (
  id text primary key,
  kind text not null,
  -- The container that it is about.
  subject text not null,
  -- The request as its proto's bytes.
  request bytea not null,
  -- do: its steps are being done; undo: they are being taken back.
  direction text not null default 'do' check (direction in ('do', 'undo')),
  -- The gateway that works on it: the key of an advisory lock that this gateway's session holds.
  owner bigint not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  -- Why it was undone: code, reason, what, why, fix.
  error jsonb
);
-- One unfinished operation per container.
create unique index operations_subject on operations (subject) where finished_at is null;
create index operations_unfinished on operations (created_at) where finished_at is null;
create index operations_finished on operations (finished_at) where finished_at is not null;
