package storetest

// Fleet makes n linked connectors, all scopes of which are synced, and that ran each hour of the last day: what a large
// installation's pages show. They have no credential: no worker may run on them.
func (db *DB) Fleet(n int) {
	db.t.Helper()
	db.Exec(`INSERT INTO connectors (id, org_name, origin_id, token_hash, token_sealed, status)
SELECT gen_random_uuid(), 'Org ' || lpad(n::text, 4, '0'), 'o' || n, decode(lpad(to_hex(n), 8, '0'), 'hex'), '', 'COMPLETE' FROM generate_series(1, $1::int) n`, n)
	db.Exec(`INSERT INTO connector_scopes (connector_id, scope, enabled, state, synced_at, records)
SELECT c.id, s, true, 'ok', now(), 1000 FROM connectors c, unnest('{applications,attachments,candidates,departments,eeocs,jobs,job-interview-stages,offers,offices,reject-reasons,remote-users,scheduled-interviews,scorecards,screening-questions,tags}'::text[]) s`)
	db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound)
SELECT gen_random_uuid(), c.id, 'stream', '{tags}', 'incremental', 'done', now() - h * interval '1 hour', now() - h * interval '1 hour' + interval '1 minute', 10, 10
FROM connectors c, generate_series(0, 23) h, generate_series(1, 9)`)
	db.Exec(`ANALYZE`)
}
