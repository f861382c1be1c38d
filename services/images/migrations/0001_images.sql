-- Up Migration
create table images (
  -- The digest of the configuration.
  id text primary key,
  manifest_digest text not null,
  -- The configuration, parsed.
  config jsonb not null,
  labels jsonb not null default '{}',
  created_at timestamptz,
  pulled_at timestamptz not null default now(),
  tagged_at timestamptz not null default now()
);

-- Where it was pulled from: docker.io/library/nginx @ the digest of the manifest or index.
create table repo_digests (
  name text not null,
  digest text not null,
  image_id text not null references images on delete cascade,
  primary key (name, digest, image_id)
);
create index repo_digests_image on repo_digests (image_id);

create table tags (
  -- docker.io/library/nginx
  name text not null,
  tag text not null,
  image_id text not null references images on delete restrict,
  tagged_at timestamptz not null default now(),
  primary key (name, tag)
);
create index tags_image on tags (image_id);

create sequence layer_names;

-- One row per directory below images/l on a node. `filling`: somebody extracts it now, or died doing so.
create table layers (
  node text not null,
  name text not null,
  state text not null default 'filling' check (state in ('filling', 'ready', 'condemned')),
  -- The pull that fills it: the key of an advisory lock that it holds meanwhile.
  filled_by text not null,
  diff_id text not null,
  -- The diff id of a self-contained layer, else the chain id.
  key text,
  size_bytes bigint not null default 0,
  disk_bytes bigint not null default 0,
  created_at timestamptz not null default now(),
  primary key (node, name)
);
create unique index layers_key on layers (node, key) where state = 'ready';

create table image_layers (
  image_id text not null references images on delete cascade,
  position int not null,
  blob_digest text not null,
  blob_bytes bigint not null,
  media_type text not null,
  diff_id text not null,
  primary key (image_id, position)
);
create index image_layers_blob on image_layers (blob_digest);

-- Which directory on a node is which layer of an image. A layer that is referred to cannot go.
create table placed_layers (
  node text not null,
  image_id text not null,
  position int not null,
  name text not null,
  primary key (node, image_id, position),
  foreign key (image_id, position) references image_layers on delete cascade,
  foreign key (node, name) references layers on delete restrict
);
create index placed_layers_name on placed_layers (node, name);

-- Who holds an image: nothing that it consists of goes before they let go.
create table leases (
  holder text not null,
  image_id text not null references images on delete restrict,
  acquired_by text not null,
  created_at timestamptz not null default now(),
  primary key (holder, image_id)
);
create index leases_image on leases (image_id);
