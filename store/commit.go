package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leversync/leversync/store/unified"
)

// ErrFenced means that the lease went to another holder: this one may write nothing more.
var ErrFenced = errors.New("store: the lease went to another worker")

// Tx is one transaction of a lease holder: records, cursor, counters and call log together or not at all.
type Tx struct {
	store   *Store
	tx      pgx.Tx
	lease   Lease
	first   bool // next to nothing of what comes is stored already
	careful bool // a value was refused: write one record at a time, and set aside what is refused
	counts  Counts
	scopes  map[unified.Scope]*scopeCounts
	ended   *Run                   // by Finish
	off     map[unified.Scope]bool // scopes of which nothing is written
	guard   *guard                 // of whom nothing is written
	brought bringers               // the calls that brought what is written
	aside   bool                   // something of the connector is in quarantine
	tail    pgx.Batch              // what nobody waits for, in one round trip at the end
}

// later has a statement run at the end of the transaction.
func (t *Tx) later(sql string, args ...any) { t.tail.Queue(sql, args...) }

// flush runs what was left for later.
func (t *Tx) flush(ctx context.Context) error {
	if t.tail.Len() == 0 {
		return nil
	}
	b := t.tail
	t.tail = pgx.Batch{}
	return t.tx.SendBatch(ctx, &b).Close()
}

// Counts is what one transaction did; they are added to the run.
type Counts struct {
	Calls, Bound, Polled, Swept, Throttled, WaitMS int64
	Read, Written, Deleted, Quarantined, Sanitized int64

	Result *Result // what it came to; nil: nothing was written, and no run ended
}

// Result is what one transaction came to.
type Result struct {
	Scopes map[unified.Scope]ScopeCounts // what was written, by scope
	Run    *Run                          // the run that ended with it; nil: none did
}

// ScopeCounts is what one transaction wrote of one scope.
type ScopeCounts struct{ Created, Updated, Deleted, Quarantined int64 }

// scopeCounts are the changes of a scope's counters, and what was done to bring them about.
type scopeCounts struct {
	records, quarantined int64
	done                 ScopeCounts
}

// Commit runs fn in one transaction that is refused with ErrFenced when the lease's fence is old.
//
// The first statement locks the stream's row and checks the fence, so that no two holders ever write at
// once. fn must only compose writes: it is run again when Postgres asks for it (deadlock, serialization),
// and once more, record by record, when a value is refused: the refused ones go to quarantine.
func (s *Store) Commit(ctx context.Context, l Lease, fn func(context.Context, *Tx) error) (Counts, error) {
	careful := false
	for try := 1; ; try++ {
		c, err := s.commitOnce(ctx, l, careful, fn)
		switch {
		case err == nil:
			return c, nil
		case refusedValue(err) && !careful:
			careful = true
		case retryable(err) && try < 6:
			select {
			case <-ctx.Done():
				return Counts{}, ctx.Err()
			case <-time.After(time.Duration(rand.Int64N(int64(try) * int64(20*time.Millisecond)))):
			}
		default:
			return Counts{}, err
		}
	}
}

func (s *Store) commitOnce(ctx context.Context, l Lease, careful bool, fn func(context.Context, *Tx) error) (Counts, error) {
	ptx, err := s.pool.Begin(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer func() { _ = ptx.Rollback(context.WithoutCancel(ctx)) }()
	t := s.newTx(ptx, l, careful)
	if err := t.enter(ctx, fenceSQL); err != nil {
		return Counts{}, err
	}
	err = t.finish(ctx, fn)
	return t.counts, err
}

func (s *Store) newTx(tx pgx.Tx, l Lease, careful bool) *Tx {
	return &Tx{store: s, tx: tx, lease: l, careful: careful, scopes: map[unified.Scope]*scopeCounts{}}
}

// finish runs fn, and what was left for later, and commits.
func (t *Tx) finish(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if err := fn(ctx, t); err != nil {
		return err
	}
	t.addCounts()
	if err := t.flush(ctx); err != nil {
		return err
	}
	t.counts.Result = t.result()
	t.failpoint(PointWritten)
	err := t.tx.Commit(ctx)
	if err == nil {
		t.failpoint(PointCommitted)
	}
	return err
}

func (t *Tx) failpoint(point string) { t.store.Failpoint(point, t.lease.Connector, t.lease.Stream) }

const fenceSQL = `SELECT FROM streams WHERE connector_id = $1 AND stream = $2 AND fence = $3 FOR NO KEY UPDATE`

// enter checks the fence with the statement given, and then, in the same round trip, reads whom the connector has erased, and
// whether something of it is set aside: an erasure that waited for the stream's row, or that we waited for, is known to us.
// With "" it does not ask for the fence: see Ahead.
func (t *Tx) enter(ctx context.Context, fence string) error {
	var fenced bool
	var sealed []byte
	b, l := &pgx.Batch{}, t.lease
	if fence != "" {
		b.Queue(fence, l.Connector, l.Stream, l.Fence).Exec(func(tag pgconn.CommandTag) error {
			fenced = tag.RowsAffected() == 0
			return nil
		})
	}
	b.Queue(guardSQL, l.Connector).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&sealed); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	b.Queue(`SELECT EXISTS (SELECT FROM quarantine WHERE connector_id = $1)`, l.Connector).QueryRow(func(row pgx.Row) error { return row.Scan(&t.aside) })
	if err := t.tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	if fenced {
		return ErrFenced
	}
	var err error
	t.guard, err = t.store.newGuard(l.Connector, sealed)
	return err
}

// checkFence locks the stream's row: whoever holds a newer fence waits for us, or we are refused.
func checkFence(ctx context.Context, q querier, l Lease) error {
	tag, err := q.Exec(ctx, fenceSQL, l.Connector, l.Stream, l.Fence)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return nil
}

func (t *Tx) result() *Result {
	d := &Result{Scopes: make(map[unified.Scope]ScopeCounts, len(t.scopes)), Run: t.ended}
	for sc, n := range t.scopes {
		if n.done != (ScopeCounts{}) {
			d.Scopes[sc] = n.done
		}
	}
	if len(d.Scopes) == 0 && d.Run == nil {
		return nil
	}
	return d
}

func (t *Tx) scope(sc unified.Scope) *scopeCounts {
	if t.scopes[sc] == nil {
		t.scopes[sc] = &scopeCounts{}
	}
	return t.scopes[sc]
}

// First says that this is the first traversal: next to nothing of what it brings is stored already, so that to look
// first costs more than it spares.
func (t *Tx) First() { t.first = true }

// NotFirst takes First back: what was not stored is written, and most of what is left is there.
func (t *Tx) NotFirst() { t.first = false }

// Add adds to the run's counters.
func (t *Tx) Add(c Counts) {
	t.counts.Calls += c.Calls
	t.counts.Bound += c.Bound
	t.counts.Polled += c.Polled
	t.counts.Swept += c.Swept
	t.counts.Throttled += c.Throttled
	t.counts.WaitMS += c.WaitMS
	t.counts.Read += c.Read
	t.counts.Written += c.Written
	t.counts.Deleted += c.Deleted
	t.counts.Quarantined += c.Quarantined
	t.counts.Sanitized += c.Sanitized
}

func (t *Tx) addCounts() {
	c := t.counts
	t.later(`UPDATE runs SET calls = calls + $3, bound = bound + $4, throttled = throttled + $5, wait_ms = wait_ms + $6,
    read = read + $7, written = written + $8, deleted = deleted + $9, quarantined = quarantined + $10, sanitized = sanitized + $11, polled = polled + $12, swept = swept + $13
WHERE connector_id = $1 AND id = $2`, t.lease.Connector, t.lease.RunID,
		c.Calls, c.Bound, c.Throttled, c.WaitMS, c.Read, c.Written, c.Deleted, c.Quarantined, c.Sanitized, c.Polled, c.Swept)
	for _, sc := range unified.Scopes { // in one order, against deadlocks
		n := t.scopes[sc]
		if n == nil || (n.records == 0 && n.quarantined == 0) {
			continue
		}
		t.later(`UPDATE connector_scopes SET records = records + $3, quarantined = quarantined + $4
WHERE connector_id = $1 AND scope = $2`, t.lease.Connector, string(sc), n.records, n.quarantined)
	}
}

// SaveCursor stores where the traversal goes on.
func (t *Tx) SaveCursor(cursor json.RawMessage) {
	t.later(`UPDATE streams SET cursor = $3, failures = 0 WHERE connector_id = $1 AND stream = $2`, t.lease.Connector, t.lease.Stream, cursor)
}

// Connector is whose records the transaction writes.
func (t *Tx) Connector() uuid.UUID { return t.lease.Connector }

// refusedValue reports whether Postgres refused a value: data exceptions, and limits of rows and texts.
func refusedValue(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "22") || strings.HasPrefix(pe.Code, "54") || strings.HasPrefix(pe.Code, "23"))
}

func retryable(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01" || pe.Code == "55P03")
}

// refusedReason is how a reason begins that Postgres gave.
const refusedReason = "Postgres refused it"

// refusal says why a value was refused, without the value.
func refusal(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return fmt.Sprintf(refusedReason+": SQLSTATE %s %s", pe.Code, pe.Routine)
	}
	return refusedReason
}
