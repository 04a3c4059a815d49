-- +goose Up

-- A server that comes up may be behind what it had given out: it was restored, or copied back, to an earlier moment; a
-- standby took over that had not received the last commits; it crashed, and confirms commits before they are written.
-- Whoever goes on from what they remember would then leave a gap: a reader of the feed whose place is ahead of it, and a
-- worker whose cursor is ahead of the records. So each start counts as another cluster: versions are raised, and
-- the fences as well, so that every lease that was held is held no more, and its run goes on from what is stored.

-- The start that the feed counts with. Unlogged: a server that recovers has emptied it.
CREATE UNLOGGED TABLE feed_start (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster text NOT NULL
);

-- Raises offset and fences if the server has started since, and says whether it did. It locks writers out: those that
-- are under way have the old offset, and must be through before a reader counts with the new one.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION continue_feed() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    here text := ' since ' || extract(epoch FROM pg_postmaster_start_time());
    was feed;
    t record;
    newest bigint := 0;
    version bigint;
    moment CONSTANT numeric := extract(epoch FROM clock_timestamp());
BEGIN
    BEGIN
        here := (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || here;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
        NULL; -- a host that does not say: its start has to do
    END;
    IF EXISTS (SELECT FROM feed JOIN feed_start USING (one) WHERE feed.cluster = here AND feed_start.cluster = here) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('leversync.feed'));
    SELECT * INTO was FROM feed;
    IF EXISTS (SELECT FROM feed_start WHERE cluster = here) AND was.cluster = here THEN
        RETURN false;
    END IF;
    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'version'
        WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND a.atttypid = 'xid8'::regtype ORDER BY c.relname LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', t.name);
        EXECUTE format('SELECT max(n.version::text::bigint) FROM connectors c, LATERAL (SELECT version FROM %s WHERE connector_id = c.id ORDER BY version DESC LIMIT 1) n', t.name)
            INTO version;
        newest := greatest(newest, version);
    END LOOP;
    -- gentle: one row
    UPDATE feed SET cluster = here;
    INSERT INTO feed_start VALUES (true, here) ON CONFLICT (one) DO UPDATE SET cluster = excluded.cluster;
    IF was.cluster = '' AND newest < pg_current_xact_id()::text::bigint + was.ahead THEN
        RETURN false; -- the first look, and all is as it should be
    END IF;
    -- By the clock, because what was lost may have been raised as well: a sum would come to the same number twice. A
    -- server that makes fewer than 2^30 transactions in a second was below it so far. Where the clock is behind, by a sum.
    newest := greatest(newest, was.ahead);
    newest := CASE WHEN (moment * (1::bigint << 30))::bigint > newest THEN (moment * (1::bigint << 30))::bigint ELSE newest + (1::bigint << 40) END;
    -- gentle: one row
    UPDATE feed SET ahead = newest;
    EXECUTE format('CREATE OR REPLACE FUNCTION feed_version() RETURNS xid8 LANGUAGE sql STABLE RETURN (pg_current_xact_id()::text::bigint + %s)::text::xid8', newest);
    -- A run that was under way proves no absence any more: what it has met may be lost.
    -- gentle: fifteen rows of a connector
    UPDATE streams SET fence = greatest(fence + 1, (moment * 1000000)::bigint), lease_owner = NULL, lease_until = NULL, interrupted = interrupted OR run_id IS NOT NULL,
        wake_at = CASE WHEN run_id IS NOT NULL THEN now() END;
    RETURN true;
END $$;
-- +goose StatementEnd
-- gentle: one row
UPDATE feed SET cluster = '' WHERE cluster <> '' AND ahead = 0;
SELECT continue_feed();
