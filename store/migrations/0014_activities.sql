-- +goose Up

-- The notes that were written through the API. Lever's others are not synced.
CREATE TABLE activities (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL,                      -- the opportunity
    "user" uuid,
    activity_type text,
    subject text,
    body text,
    visibility text,
    candidate uuid NOT NULL,
    remote_created_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,                    -- the candidate's
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX activities_modified ON activities (connector_id, modified_at, id);
CREATE INDEX activities_candidate ON activities (connector_id, candidate);

-- A note goes where its candidate goes, whoever takes them along: it is gone, and comes back, with them, and what
-- empties a candidate, which leaves the hash of a body empty, removes it.
-- +goose StatementBegin
CREATE FUNCTION follow_candidate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body_hash = '\x'::bytea THEN
        DELETE FROM leversync.activities WHERE connector_id = NEW.connector_id AND candidate = NEW.id;
    ELSE
        UPDATE leversync.activities SET deleted_at = NEW.deleted_at, modified_at = date_trunc('milliseconds', now())
        WHERE connector_id = NEW.connector_id AND candidate = NEW.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER activities AFTER UPDATE ON candidates FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at OR OLD.body_hash <> NEW.body_hash AND NEW.body_hash = '\x'::bytea) EXECUTE FUNCTION follow_candidate();
-- +goose StatementBegin
CREATE FUNCTION follow_removed_candidates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM leversync.activities a USING gone g WHERE a.connector_id = g.connector_id AND a.candidate = g.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER activities_removed AFTER DELETE ON candidates REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION follow_removed_candidates();

-- A connector's token may come to see them. The list of what it may is within build_wall: it is added to as it is,
-- so that nothing else that was added to it is lost.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('build_wall()'::regprocedure), '''quarantine''', '''quarantine'', ''activities''');
END $$;
-- +goose StatementEnd
