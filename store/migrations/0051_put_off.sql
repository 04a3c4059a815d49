-- +goose Up

-- What fails, and is put off, is a child list, not its parent: a list that fails must not hold its siblings up, nor use their
-- attempts. By list (its bit, as a text): {"4": {"attempts": 2, "not_before": "…"}}; NULL where none has failed, which is nearly always.
ALTER TABLE parents ADD COLUMN put_off jsonb, DROP COLUMN attempts, DROP COLUMN not_before;
