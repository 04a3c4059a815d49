-- +goose Up

-- Only open opportunities are asked for by their stage (the children that move no clock are polled there), and most of an
-- account's are archived: in the index they only cost.
DROP INDEX parents_stage;
CREATE INDEX parents_stage ON parents (connector_id, scope, stage) WHERE deleted_at IS NULL AND NOT archived;
