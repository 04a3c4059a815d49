-- +goose Up

-- A page of candidates looks up the applications and files of each: these indexes hold all that it asks, in order.
DROP INDEX applications_candidate;
CREATE INDEX applications_candidate ON applications (connector_id, candidate, id) INCLUDE (deleted_at);
DROP INDEX attachments_candidate;
CREATE INDEX attachments_candidate ON attachments (connector_id, candidate, id) INCLUDE (deleted_at);

-- The second wall. Every query names the connector whose rows it wants: that is the first. What a connector's
-- token asks for also runs as a role of its own, the owner's name with _reader, which may only read, and sees the
-- rows of the connector in leversync.connector_id alone, or none: whatever a query forgot. The owner itself passes,
-- so a worker, a backup and the views in ats are as before, and pay nothing.
--
-- It can be built again at any time, and is after every migration: tables that came since are walled off too, and a
-- role that could not be made then may be there now.
-- +goose StatementBegin
CREATE FUNCTION build_wall() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reader name := left((SELECT rolname FROM pg_roles r JOIN pg_namespace n ON n.nspowner = r.oid WHERE n.nspname = 'leversync'), 56) || '_reader';
    t record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leversync.wall'));
    -- A partition is reached through its parent, whose policy counts. The sub-select is evaluated once a query.
    FOR t IN SELECT c.oid::regclass AS name, CASE c.relname WHEN 'connectors' THEN 'id' ELSE 'connector_id' END AS col FROM pg_class c
        WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT c.relrowsecurity
        AND (c.relname = 'connectors' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'connector_id')) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name);
        EXECUTE format('CREATE POLICY wall ON %s USING (%I = (SELECT nullif(current_setting(''leversync.connector_id'', true), '''')::uuid))', t.name, t.col);
    END LOOP;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', reader);
        END IF;
        IF NOT pg_has_role(current_user, reader, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', reader);
        END IF;
    EXCEPTION
        WHEN insufficient_privilege THEN NULL; -- an administrator must: leversync doctor says how
        WHEN duplicate_object OR unique_violation THEN NULL; -- made for another database at the same moment
    END;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
        RETURN;
    END IF;
    IF NOT has_schema_privilege(reader, 'leversync', 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA leversync TO %I', reader);
    END IF;
    -- What a connector's token may come to see. No credential, no token, no link is among it.
    FOR t IN SELECT name FROM unnest(ARRAY['applications', 'attachments', 'candidates', 'departments', 'eeocs', 'jobs', 'job_interview_stages', 'offers',
        'offices', 'reject_reasons', 'remote_users', 'scheduled_interviews', 'scorecards', 'screening_questions', 'tags',
        'parents', 'connector_scopes', 'runs', 'calls', 'quarantine']) AS name LOOP
        IF NOT has_table_privilege(reader, 'leversync.' || t.name, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON leversync.%I TO %I', t.name, reader);
        END IF;
    END LOOP;
    IF NOT has_column_privilege(reader, 'leversync.connectors', 'status', 'SELECT') THEN
        EXECUTE format('GRANT SELECT (id, status) ON leversync.connectors TO %I', reader);
    END IF;
END $$;
-- +goose StatementEnd
SELECT build_wall();
