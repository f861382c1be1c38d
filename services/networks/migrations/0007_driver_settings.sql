-- Up Migration
-- What the driver's options mean, as far as they differ from what is usual; the options themselves stand beside as they were
-- given.
alter table networks add column settings jsonb not null default '{}';
