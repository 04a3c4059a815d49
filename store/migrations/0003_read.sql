-- +goose Up

-- What the API reads by. Its lists need no index of their own: they page by (modified_at, id), which each
-- table has. These serve relations and filters that no other index does.
CREATE INDEX applications_candidate ON applications (connector_id, candidate);
CREATE INDEX applications_job ON applications (connector_id, job);
CREATE INDEX eeocs_candidate ON eeocs (connector_id, candidate);
CREATE INDEX screening_questions_job ON screening_questions (connector_id, job);

-- Small letters of all elements: for filters that do not mind the case. lower() of a text goes by the
-- database's collation, which does not change under an index without a warning.
-- +goose StatementBegin
CREATE FUNCTION lower_all(list text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT lower(x) FROM unnest(list) AS x);
-- +goose StatementEnd
CREATE INDEX candidates_emails ON candidates USING gin (lower_all(email_addresses)) WITH (fastupdate = on);
CREATE INDEX remote_users_email ON remote_users (connector_id, lower(email));

-- What a key may do. Keys made before have all of it, as they had.
ALTER TABLE api_keys ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,write,admin}'
    CHECK (scopes <@ '{read,write,admin}' AND cardinality(scopes) > 0);

-- The feed of changes. version is the transaction that last changed what a record says. A reader that takes
-- only versions below the oldest transaction under way misses nothing, whatever order they commit in: what
-- commits later is newer. One row a record, at its last change: the feed grows no faster than the records.
-- +goose StatementBegin
CREATE FUNCTION set_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := pg_current_xact_id();
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['applications', 'attachments', 'candidates', 'departments', 'eeocs', 'jobs', 'job_interview_stages', 'offers',
        'offices', 'reject_reasons', 'remote_users', 'scheduled_interviews', 'scorecards', 'screening_questions', 'tags'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN version xid8 NOT NULL DEFAULT pg_current_xact_id()', t);
        EXECUTE format('CREATE INDEX %I ON %I (connector_id, version, id)', t || '_version', t);
        EXECUTE format('CREATE TRIGGER version BEFORE UPDATE ON %I FOR EACH ROW
            WHEN (OLD.body_hash IS DISTINCT FROM NEW.body_hash OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at) EXECUTE FUNCTION set_version()', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- The same view, by the new index.
CREATE OR REPLACE VIEW ats.candidates AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.first_name,
    t.last_name,
    t.company,
    t.title,
    t.last_interaction_at,
    t.is_private,
    t.can_email,
    t.locations,
    t.phone_numbers,
    t.email_addresses,
    t.urls,
    t.tags,
    ARRAY(SELECT x.id FROM leversync.applications x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS applications,
    ARRAY(SELECT x.id FROM leversync.attachments x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS attachments,
    t.remote_created_at,
    t.remote_updated_at,
    t.avatar,
    (SELECT jsonb_agg(p.raw ORDER BY p.remote_id) FROM leversync.parents p WHERE p.connector_id = t.connector_id AND p.scope = 'applications' AND p.person = t.remote_id AND p.deleted_at IS NULL) AS raw,
    t.created_at,
    t.modified_at
FROM leversync.candidates t
WHERE t.deleted_at IS NULL;
