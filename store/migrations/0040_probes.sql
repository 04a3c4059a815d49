-- +goose Up

-- What is stored of a page's records is asked for key by key, and a person's opportunities person by person. An index
-- that begins with the connector and has no more columns in common with the question is as good by the estimates of a
-- planner that has no statistics of that connector yet, and reads all of the connector for every page of a first load.
-- With all three columns this one is always the better.
DROP INDEX parents_person;
CREATE INDEX parents_person ON parents (person, connector_id, scope);
