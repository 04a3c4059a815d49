-- +goose NO TRANSACTION
-- +goose Up

-- Which children are read next is asked for in this order, every few dozen of them. The index that was there put those that
-- nobody has touched first, and the question wants them last: all that was to be read was sorted each time. The old one serves
-- until this is whole.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS parents_work;
CREATE INDEX CONCURRENTLY parents_work ON parents (connector_id, scope, lane, archived, active_at DESC NULLS LAST) WHERE pending <> 0;
DROP INDEX CONCURRENTLY IF EXISTS parents_pending;
RESET lock_timeout;
