-- +goose Up

-- The feed of changes goes on in another cluster. A version is a transaction's number, and a restored database counts
-- transactions anew: from below the versions that it brought along, for which the feed would wait, or from below the
-- place that readers have come to. So a version is the number and an offset, which is raised once in every new cluster,
-- or timeline, past all that can have been given out: cursors stay good, and nothing is read twice.
CREATE TABLE feed (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster text NOT NULL,                     -- system identifier and timeline; '': not known yet
    ahead bigint NOT NULL                      -- the offset
);
INSERT INTO feed VALUES (true, '', 0);

-- What a row that is written gets. The offset is part of the body: a writer reads no table, and has nothing to add while
-- it is 0.
CREATE FUNCTION feed_version() RETURNS xid8 LANGUAGE sql STABLE RETURN pg_current_xact_id();

-- All versions below it are settled. The offset is that of the reader's snapshot, as is the oldest transaction.
CREATE FUNCTION feed_horizon() RETURNS xid8 LANGUAGE sql STABLE SECURITY DEFINER SET search_path = leversync, pg_temp
RETURN (SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + ahead)::text::xid8 FROM feed);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION set_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := leversync.feed_version();
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['applications', 'attachments', 'candidates', 'departments', 'eeocs', 'jobs', 'job_interview_stages', 'offers',
        'offices', 'reject_reasons', 'remote_users', 'scheduled_interviews', 'scorecards', 'screening_questions', 'tags'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN version SET DEFAULT feed_version()', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- Raises the offset if the cluster is another than it was, and says whether it did. It locks writers out: those that are
-- under way have the old offset, and must be through before a reader counts with the new one.
-- +goose StatementBegin
CREATE FUNCTION continue_feed() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    here text;
    was feed;
    t record;
    newest bigint := 0;
    version bigint;
    far CONSTANT bigint := 1::bigint << 40; -- more transactions than are lost between a backup and its restore
BEGIN
    BEGIN
        here := (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
        here := 'since ' || pg_postmaster_start_time(); -- a host that does not say: every start counts as another
    END;
    IF EXISTS (SELECT FROM feed WHERE cluster = here) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('leversync.feed'));
    SELECT * INTO was FROM feed;
    IF was.cluster = here THEN
        RETURN false;
    END IF;
    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'version'
        WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND a.atttypid = 'xid8'::regtype ORDER BY c.relname LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', t.name);
        EXECUTE format('SELECT max(n.version::text::bigint) FROM connectors c, LATERAL (SELECT version FROM %s WHERE connector_id = c.id ORDER BY version DESC LIMIT 1) n', t.name)
            INTO version;
        newest := greatest(newest, version);
    END LOOP;
    UPDATE feed SET cluster = here;
    IF was.cluster = '' AND newest < pg_current_xact_id()::text::bigint + was.ahead THEN
        RETURN false; -- the first look, and all is as it should be
    END IF;
    newest := greatest(newest, was.ahead) + far;
    UPDATE feed SET ahead = newest;
    EXECUTE format('CREATE OR REPLACE FUNCTION feed_version() RETURNS xid8 LANGUAGE sql STABLE RETURN (pg_current_xact_id()::text::bigint + %s)::text::xid8', newest);
    RETURN true;
END $$;
-- +goose StatementEnd
SELECT continue_feed();
