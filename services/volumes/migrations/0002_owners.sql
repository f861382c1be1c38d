-- Up Migration
-- Who made it, as the contract has it (container:ID, uid:1000, host); empty: made before anybody wrote that down.
alter table volumes add column created_by text not null default '';

-- The owner that an empty volume is to get; null once it has it, or had content.
alter table mount_references add column owner_uid bigint;
alter table mount_references add column owner_gid bigint;
