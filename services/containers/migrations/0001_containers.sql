-- Up Migration
create table containers (
  id text primary key check (id ~ '^[0-9a-f]{64}$'),
  node text not null,
  name text not null check (name ~ '^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$' and length(name) >= 2),
  -- The operation that made it: done again it answers the same.
  created_by text not null,
  created_at timestamptz not null default now(),
  state text not null default 'created'
    check (state in ('created', 'running', 'paused', 'restarting', 'exited', 'removing')),
  -- The caller's wish as its proto's bytes: for showing. What we act on is `spec`.
  wish bytea not null,
  spec jsonb not null,
  labels jsonb not null default '{}',
  image text not null,
  image_id text not null,
  image_digest text not null,
  image_config bytea not null,
  -- The program and its arguments, resolved.
  command text[] not null,
  restart_mode text not null default 'no' check (restart_mode in ('no', 'always', 'unless-stopped', 'on-failure')),
  restart_max int not null default 0,
  auto_remove boolean not null default false,

  -- The newest run; 0: never started. A run is (pid, start time, epoch).
  run int not null default 0,
  started_by text,
  pid int not null default 0,
  start_ticks bigint not null default 0,
  epoch text not null default '',
  runtime text not null default '',
  started_at timestamptz,
  finished_at timestamptz,
  exit_code int,
  oom_killed boolean not null default false,
  error text not null default '',
  restart_count int not null default 0,
  -- What was waited before the newest run; 0 after a start by a person.
  restart_delay_ms int not null default 0,
  restart_at timestamptz,
  -- A person stopped it: no policy starts it again until a person does.
  is_stopped_by_user boolean not null default false,
  -- A person's restart: when the run has ended another one follows at once, in the same sandbox.
  wants_restart boolean not null default false,

  -- Copies of what it was given at its last start (endpoints, ports, mounts): for showing and for restarting.
  given jsonb,
  layers text[] not null default '{}',
  layers_directory text not null default '',

  -- What the gateway has to do for it.
  has_sandbox boolean not null default false,
  wants_start boolean not null default false,
  -- Nothing else holds anything for it: the row goes with the last of its host objects.
  is_released boolean not null default false,
  is_cleaned boolean not null default false
);

-- A name is free again as soon as its container is being removed.
create unique index containers_name on containers (name) where state <> 'removing';
create index containers_created on containers (created_at desc, id);
create index containers_due on containers (id)
  where (state = 'exited' and (auto_remove or has_sandbox)) or wants_start;
create index containers_restarting on containers (restart_at) where state = 'restarting';

-- One row per ended run.
create table exits (
  container_id text not null references containers on delete cascade,
  run int not null,
  exit_code int not null,
  oom_killed boolean not null default false,
  finished_at timestamptz not null,
  primary key (container_id, run)
);

create table execs (
  id text primary key,
  container_id text not null references containers on delete cascade,
  created_at timestamptz not null default now(),
  spec bytea not null,
  state text not null default 'created' check (state in ('created', 'running', 'exited')),
  -- It runs without a client, under a monitor of its own.
  is_detached boolean not null default false,
  pid int not null default 0,
  exit_code int
);
create index execs_container on execs (container_id);
