-- +goose NO TRANSACTION
-- +goose Up

-- Only open opportunities are asked for by their stage (the children that move no clock are polled there), and most of an
-- account's are archived: in the index they only cost. The old one serves until the new one is whole; where this is broken
-- off, it begins anew.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS parents_stage_open;
CREATE INDEX CONCURRENTLY parents_stage_open ON parents (connector_id, scope, stage) WHERE deleted_at IS NULL AND NOT archived;
DROP INDEX CONCURRENTLY IF EXISTS parents_stage;
-- gentle: an index, which processes do not know by its name
ALTER INDEX parents_stage_open RENAME TO parents_stage;
RESET lock_timeout;
