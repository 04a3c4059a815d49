package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Partition turns the tables of records and of parents into ones that are partitioned into n by the hash of their connector, as
// an operator of very many connectors would: columns, rows, keys, indexes, triggers, policies, grants and the views stay as they
// are. The partitions of a table T are T_0, T_1 and so on.
func (db *DB) Partition(n int) {
	db.t.Helper()
	// On a connection of its own: what Postgres counts of it is told when the connection ends.
	ctx, cancel := context.WithTimeout(db.t.Context(), setupTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		db.t.Fatal(err)
	}
	pid := conn.PgConn().PID()
	_, err = conn.Exec(ctx, strings.ReplaceAll(partitionSQL, "PARTITIONS", fmt.Sprint(n)))
	if err == nil {
		_, err = conn.Exec(ctx, `ANALYZE`)
	}
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		db.t.Fatalf("storetest: partition: %v", err)
	}
	for Value[bool](db, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, int32(pid)) {
		select {
		case <-ctx.Done():
			db.t.Fatal("storetest: partition: its connection does not end")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// partitionSQL writes down what makes a table again, and makes it. Statements wait in the table later until all tables are there.
const partitionSQL = `DO $do$
DECLARE t record; sql text;
BEGIN
    CREATE TEMP TABLE flat ON COMMIT DROP AS SELECT c.oid, c.relname AS name, c.relrowsecurity AS walled FROM pg_class c
    WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind = 'r'
        AND (c.relname = 'parents' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'body_hash'));
    CREATE TEMP TABLE later (n serial, sql text) ON COMMIT DROP;
    INSERT INTO later (sql) SELECT format('ALTER TABLE leversync.%I ADD CONSTRAINT %I %s', f.name, conname, pg_get_constraintdef(c.oid))
        FROM pg_constraint c JOIN flat f ON c.conrelid = f.oid WHERE contype <> 'c';
    INSERT INTO later (sql) SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN flat f ON i.indrelid = f.oid
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid);
    INSERT INTO later (sql) SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN flat f ON g.tgrelid = f.oid WHERE NOT tgisinternal;
    INSERT INTO later (sql) SELECT format('ALTER TABLE leversync.%I ENABLE ROW LEVEL SECURITY', name) FROM flat WHERE walled;
    INSERT INTO later (sql) SELECT format('CREATE POLICY %I ON leversync.%I FOR %s TO %s USING (%s)', polname, f.name,
            CASE polcmd WHEN 'r' THEN 'SELECT' WHEN '*' THEN 'ALL' END, CASE WHEN polroles = '{0}' THEN 'public' END, pg_get_expr(polqual, polrelid))
        FROM pg_policy p JOIN flat f ON p.polrelid = f.oid;
    INSERT INTO later (sql) SELECT format('CREATE VIEW ats.%I %s AS %s', relname, 'WITH (' || array_to_string(reloptions, ', ') || ')', pg_get_viewdef(oid))
        FROM pg_class WHERE relkind = 'v' AND relnamespace = 'ats'::regnamespace ORDER BY oid;
    FOR t IN SELECT relname AS name FROM pg_class WHERE relkind = 'v' AND relnamespace = 'ats'::regnamespace LOOP
        EXECUTE format('DROP VIEW IF EXISTS ats.%I CASCADE', t.name);
    END LOOP;
    INSERT INTO later (sql) SELECT format('GRANT %s ON leversync.%I TO %s', g.privilege_type, f.name, g.grantee::regrole)
        FROM flat f JOIN pg_class c USING (oid), aclexplode(c.relacl) g WHERE g.grantee <> c.relowner;
    FOR t IN SELECT * FROM flat LOOP
        EXECUTE format('ALTER TABLE leversync.%I RENAME TO %I', t.name, t.name || '_flat');
        EXECUTE format('CREATE TABLE leversync.%I (LIKE leversync.%I INCLUDING ALL EXCLUDING INDEXES) PARTITION BY HASH (connector_id)', t.name, t.name || '_flat');
        FOR i IN 0 .. PARTITIONS - 1 LOOP
            EXECUTE format('CREATE TABLE leversync.%I PARTITION OF leversync.%I FOR VALUES WITH (MODULUS PARTITIONS, REMAINDER %s)', t.name || '_' || i, t.name, i);
        END LOOP;
        EXECUTE format('INSERT INTO leversync.%I SELECT * FROM leversync.%I', t.name, t.name || '_flat');
        EXECUTE format('DROP TABLE leversync.%I', t.name || '_flat');
    END LOOP;
    FOR sql IN SELECT l.sql FROM later l ORDER BY n LOOP
        EXECUTE sql;
    END LOOP;
END $do$`
