-- Up Migration
-- What a list shows of a container and never changes, as bytes of the contract's message: a list of a thousand copies them
-- and decodes nothing. Empty: made before there was such a column, and put together when it is listed.
alter table containers add column summary bytea not null default '';
