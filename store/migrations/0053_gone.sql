-- +goose NO TRANSACTION
-- +goose Up

-- Parents that are gone are few, and no index that begins with the connector had them: what retention and removals look for
-- among them was looked for among the parents of all connectors.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS parents_gone;
CREATE INDEX CONCURRENTLY parents_gone ON parents (connector_id, deleted_at) WHERE deleted_at IS NOT NULL;
RESET lock_timeout;
