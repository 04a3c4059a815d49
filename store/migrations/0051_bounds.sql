-- +goose Up

-- What fails, and is put off, is a child list, not its parent: a list that fails must not hold its siblings up, nor use their
-- attempts. By list (its bit, as a text): {"4": {"attempts": 2, "not_before": "…"}}; NULL where none has failed, which is nearly always. The columns attempts and not_before
-- stay for processes of the version before, and are for nobody else.
ALTER TABLE parents ADD COLUMN put_off jsonb;

-- Whoever holds a signing token could add a delivery for each request: a connector that gets too many is noted here, every few seconds.
ALTER TABLE webhooks ADD COLUMN crowded boolean NOT NULL DEFAULT false;
