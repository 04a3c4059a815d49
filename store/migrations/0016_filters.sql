-- +goose NO TRANSACTION
-- +goose Up

-- Filters whose values are rare by their nature, or asked for every day: who is in a stage, in the list's order, and the
-- scorecards of an interview. What the others cost is in deploy/docs/reading.md.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS applications_stage;
CREATE INDEX CONCURRENTLY applications_stage ON applications (connector_id, current_stage, modified_at, id);
DROP INDEX CONCURRENTLY IF EXISTS scorecards_interview;
CREATE INDEX CONCURRENTLY scorecards_interview ON scorecards (connector_id, interview) WHERE interview IS NOT NULL;
RESET lock_timeout;
