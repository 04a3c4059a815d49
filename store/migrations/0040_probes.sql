-- +goose NO TRANSACTION
-- +goose Up

-- What is stored of a page's records is asked for key by key, and a person's opportunities person by person. An index
-- that begins with the connector and has no more columns in common with the question is as good by the estimates of a
-- planner that has no statistics of that connector yet, and reads all of the connector for every page of a first load.
-- With all three columns this one is always the better. The old one serves until it is whole.
SET lock_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS parents_person_scope;
CREATE INDEX CONCURRENTLY parents_person_scope ON parents (person, connector_id, scope);
DROP INDEX CONCURRENTLY IF EXISTS parents_person;
-- gentle: an index, which processes do not know by its name
ALTER INDEX parents_person_scope RENAME TO parents_person;
RESET lock_timeout;
