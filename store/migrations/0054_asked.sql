-- +goose NO TRANSACTION
-- +goose Up

-- What was asked for and not begun is looked for every two seconds, by each process that schedules. The index that there was has all
-- scopes that are on: to find that none was lost, all of them were read.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS connector_scopes_asked;
CREATE INDEX CONCURRENTLY connector_scopes_asked ON connector_scopes ((coalesce(queued_at, '-infinity'))) WHERE enabled AND requested_at IS NOT NULL;
RESET lock_timeout;
