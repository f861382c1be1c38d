-- Up Migration
-- When a process that is being restarted must have ended: its wish stays when whoever carries it out dies, and from then
-- on the duty does. Null: it may take as long as it likes.
alter table containers add column restart_by timestamptz;
