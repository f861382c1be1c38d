-- Up Migration
-- Resolvers that the container was given; none: the host's.
alter table sandboxes add column dns_servers jsonb not null default '[]';
