-- Up Migration
create table volumes (
  id uuid primary key default gen_random_uuid(),
  node text not null,
  -- in the order of bytes, so that pages of a list agree with the index
  name text collate "C" not null,
  driver text not null,
  options jsonb not null default '{}',
  labels jsonb not null default '{}',
  is_anonymous boolean not null,
  -- The operation that made it for its container, and takes it back when it is undone; null once a person asked for it.
  made_by text,
  -- Name of the directory with a complete copy-up that is being moved into the volume: after a crash it goes on.
  staged text,
  created_at timestamptz not null default now(),
  constraint volumes_name unique (node, name)
);
create index volumes_made_by on volumes (made_by) where made_by is not null;

-- A place in a container that a volume is mounted at; kept for as long as the container exists.
create table mount_references (
  holder text not null,
  target text not null,
  volume_id uuid not null constraint mount_references_volume references volumes (id),
  acquired_by text not null,
  -- The volume was empty when the container came, and its copy-up has not been done.
  wants_copy_up boolean not null,
  acquired_at timestamptz not null default now(),
  constraint mount_references_target primary key (holder, target)
);
create index mount_references_by_volume on mount_references (volume_id);
