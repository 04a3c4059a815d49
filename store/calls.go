package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Call is a row of the sync log: one HTTP call to Lever. Path is a template and Query is redacted.
type Call struct {
	ID          uuid.UUID  `json:"id"`
	ConnectorID uuid.UUID  `json:"connector_id"`
	RunID       *uuid.UUID `json:"run_id"`
	Stream      string     `json:"stream"`
	Scope       string     `json:"scope"`
	Method      string     `json:"method"`
	Path        string     `json:"path"`
	Query       string     `json:"query"`
	Status      int        `json:"status"` // 0: no answer came
	Attempt     int        `json:"attempt"`
	StartedAt   time.Time  `json:"started_at"`
	DurationMS  float64    `json:"duration_ms"`
	WaitMS      float64    `json:"wait_ms"` // for the budget
	Bytes       int64      `json:"bytes"`   // decoded
	Records     int        `json:"records"`
	Error       string     `json:"error"`
}

// callsSQL writes rows of the sync log. It is no COPY: a client that freezes in the middle of one is not idle
// to Postgres, and would keep its transaction, and the lease's row in it, long after the lease has run out.
const callsSQL = `INSERT INTO calls (id, connector_id, run_id, stream, scope, method, path, query, error, status, attempt, records, started_at, duration_ms, wait_ms, bytes)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::smallint[], $11::integer[], $12::integer[], $13::timestamptz[], $14::double precision[], $15::double precision[], $16::bigint[])`

func callsArgs(cs []Call) []any {
	n := len(cs)
	ids, connectors, runs := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]*uuid.UUID, n)
	streams, scopes, methods, paths, queries, errs := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	statuses, attempts, records := make([]int16, n), make([]int32, n), make([]int32, n)
	started, durations, waits, sizes := make([]time.Time, n), make([]float64, n), make([]float64, n), make([]int64, n)
	for i, c := range cs {
		ids[i], connectors[i], runs[i] = c.ID, c.ConnectorID, c.RunID
		streams[i], scopes[i], methods[i], paths[i], queries[i], errs[i] = c.Stream, c.Scope, c.Method, c.Path, c.Query, c.Error
		statuses[i], attempts[i], records[i] = int16(c.Status), int32(c.Attempt), int32(c.Records)
		started[i], durations[i], waits[i], sizes[i] = c.StartedAt, c.DurationMS, c.WaitMS, c.Bytes
	}
	return []any{ids, connectors, runs, streams, scopes, methods, paths, queries, errs, statuses, attempts, records, started, durations, waits, sizes}
}

// Log writes calls in the transaction of what they brought.
func (t *Tx) Log(calls []Call) {
	if len(calls) == 0 {
		return
	}
	t.counts.Calls += int64(len(calls))
	for _, c := range calls {
		t.counts.WaitMS += int64(c.WaitMS)
		if c.Status == 429 {
			t.counts.Throttled++
		}
		if c.Status >= 200 && c.Status < 300 {
			t.brought.last = c.ID
		}
	}
	t.later(callsSQL, callsArgs(calls)...)
}

// Log writes calls that brought nothing to be stored, of a holder that may have lost its lease: a call was
// made all the same.
func (s *Store) Log(ctx context.Context, calls []Call) error {
	if len(calls) == 0 {
		return nil
	}
	_, err := s.pool.Exec(ctx, callsSQL, callsArgs(calls)...)
	return err
}

// CallFilter narrows Calls; zero fields do not.
type CallFilter struct {
	Connector uuid.UUID
	Run       uuid.UUID
	Scope     string
	Status    int
	Failed    bool // status 400 and more, and no answer
	Since     time.Time
	After     time.Time // started later than this: for following
	Limit     int       // 0: 100
}

// Calls lists the sync log, newest first.
func (s *Store) Calls(ctx context.Context, f CallFilter) ([]Call, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	return many[Call](ctx, s.pool, `SELECT * FROM calls WHERE ($1::uuid IS NULL OR connector_id = $1) AND ($2::uuid IS NULL OR run_id = $2)
AND ($3 = '' OR scope = $3) AND ($4 = 0 OR status = $4) AND (NOT $5 OR status >= 400 OR status = 0)
AND ($6::timestamptz IS NULL OR started_at >= $6) AND ($7::timestamptz IS NULL OR started_at > $7)
ORDER BY started_at DESC, id DESC LIMIT $8`,
		nilID(f.Connector), nilID(f.Run), f.Scope, f.Status, f.Failed, nilTime(f.Since), nilTime(f.After), f.Limit)
}

func nilID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func nilTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// callDays is how many days ahead the sync log has partitions for.
const callDays = 7

// MaintainCalls makes the sync log's partitions for the coming days and drops those whose day ended longer ago than keep,
// by Postgres' clock: one that is wrong here must not drop the log. Dropping a table costs nothing, whatever its size.
// It waits for nobody longer than a moment, as all who log calls wait with it: where somebody is reading the log, a dump or an
// analyst, it is left for later, with an error. Safe to run at once in many processes.
func (s *Store) MaintainCalls(ctx context.Context, keep time.Duration) error {
	return s.maintainCalls(ctx, time.Time{}, keep)
}

// maintainCalls is MaintainCalls at a moment; zero is now.
func (s *Store) maintainCalls(ctx context.Context, at time.Time, keep time.Duration) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var mine bool
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('leversync.calls')), coalesce($1::timestamptz, now())`, nilTime(at)).Scan(&mine, &now); err != nil || !mine {
			return err
		}
		// A reader keeps the locks out that this wants, and while it waits for them, nobody else gets even lesser ones.
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		names, err := partitions(ctx, tx)
		if err != nil {
			return err
		}
		add, drop := partitionPlan(names, now, keep)
		if len(add) > 0 {
			// A row on its way to the default partition would be refused there once its day has its own:
			// writers wait, and find the new one.
			if _, err := tx.Exec(ctx, `LOCK TABLE calls IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		for _, day := range add {
			if err := addPartition(ctx, tx, partition(day), day); err != nil {
				return err
			}
		}
		for _, name := range drop {
			if _, err := tx.Exec(ctx, `DROP TABLE `+pgx.Identifier{name}.Sanitize()); err != nil {
				return fmt.Errorf("store: drop %s: %w", name, err)
			}
		}
		_, err = tx.Exec(ctx, `DELETE FROM calls_other WHERE started_at < $1`, now.Add(-keep))
		return err
	})
}

// partitionPlan is which days' partitions to add, and which ones to drop, where names are there.
func partitionPlan(names map[string]bool, now time.Time, keep time.Duration) (add []time.Time, drop []string) {
	day := now.UTC().Truncate(24 * time.Hour)
	for i := range callDays {
		if d := day.AddDate(0, 0, i); !names[partition(d)] {
			add = append(add, d)
		}
	}
	for name := range names {
		if d, err := time.Parse("calls_20060102", name); err == nil && d.AddDate(0, 0, 1).Before(now.Add(-keep)) {
			drop = append(drop, name)
		}
	}
	return add, drop
}

func partition(day time.Time) string { return day.Format("calls_20060102") }

func partitions(ctx context.Context, tx pgx.Tx) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'calls'::regclass`)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	m := map[string]bool{}
	for _, n := range list {
		m[n] = true
	}
	return m, err
}

// addPartition makes a day's partition. Rows of that day that are in the default partition already are
// moved: Postgres refuses the new partition otherwise.
func addPartition(ctx context.Context, tx pgx.Tx, name string, day time.Time) error {
	id, to := pgx.Identifier{name}.Sanitize(), day.AddDate(0, 0, 1)
	for _, sql := range []string{
		fmt.Sprintf(`CREATE TABLE %s (LIKE calls INCLUDING DEFAULTS)`, id),
		fmt.Sprintf(`WITH moved AS (DELETE FROM calls_other WHERE started_at >= '%[2]s' AND started_at < '%[3]s' RETURNING *) INSERT INTO %[1]s SELECT * FROM moved`,
			id, day.Format(time.RFC3339), to.Format(time.RFC3339)),
		fmt.Sprintf(`ALTER TABLE calls ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`, id, day.Format(time.RFC3339), to.Format(time.RFC3339)),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("store: partition %s: %w", name, err)
		}
	}
	return nil
}
