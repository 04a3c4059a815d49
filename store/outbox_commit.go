package store

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// CommitOutside runs fn in one transaction beside the runs of a stream: it needs no lease, belongs to no
// run, and moves no cursor. It locks the stream's row as Commit does, so that it and the pages of a run never
// write at once. Everything else is as with Commit. ErrNotFound: there is no such connector.
func (s *Store) CommitOutside(ctx context.Context, connector uuid.UUID, stream string, fn func(context.Context, *Tx) error) (Counts, error) {
	careful := false
	for try := 1; ; try++ {
		c, err := s.commitOutsideOnce(ctx, connector, stream, careful, fn)
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

func (s *Store) commitOutsideOnce(ctx context.Context, connector uuid.UUID, stream string, careful bool, fn func(context.Context, *Tx) error) (Counts, error) {
	ptx, err := s.pool.Begin(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer func() { _ = ptx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := ptx.Exec(ctx, `INSERT INTO streams (connector_id, stream) SELECT id, $2 FROM connectors WHERE id = $1 ON CONFLICT DO NOTHING`, connector, stream); err != nil {
		return Counts{}, err
	}
	tag, err := ptx.Exec(ctx, `SELECT FROM streams WHERE connector_id = $1 AND stream = $2 FOR NO KEY UPDATE`, connector, stream)
	if err != nil {
		return Counts{}, err
	}
	if tag.RowsAffected() == 0 {
		return Counts{}, ErrNotFound
	}
	t := &Tx{store: s, tx: ptx, lease: Lease{Connector: connector, Stream: stream}, careful: careful, aside: true, scopes: map[unified.Scope]*scopeCounts{}}
	if t.off, err = scopesOff(ctx, ptx, connector); err != nil { // no fence keeps this one from writing by what was on before
		return Counts{}, err
	}
	if t.guard, err = s.guardOf(ctx, ptx, connector); err != nil {
		return Counts{}, err
	}
	if err := fn(ctx, t); err != nil {
		return Counts{}, err
	}
	t.addCounts() // no run has the nil id: the scopes' counts alone move
	if err := t.flush(ctx); err != nil {
		return Counts{}, err
	}
	return t.counts, ptx.Commit(ctx)
}

// scopesOff are the scopes of a connector that are off.
func scopesOff(ctx context.Context, q querier, connector uuid.UUID) (map[unified.Scope]bool, error) {
	type row struct{ Scope string }
	list, err := many[row](ctx, q, `SELECT scope FROM connector_scopes WHERE connector_id = $1 AND NOT enabled`, connector)
	off := map[unified.Scope]bool{}
	for _, r := range list {
		off[unified.Scope(r.Scope)] = true
	}
	return off, err
}

// Reply is a record as the API gives it, for a write's reply; nil: it is not there. Nothing that the API adds
// of its own is in it, as the URL of a file.
func (t *Tx) Reply(ctx context.Context, sc unified.Scope, remoteID string) (json.RawMessage, error) {
	recs, err := readIn(ctx, t.tx, ReadQuery{Connector: t.lease.Connector, Scope: sc, RemoteIDs: []string{remoteID}})
	if err != nil || len(recs) == 0 {
		return nil, err
	}
	body := recs[0].Body()
	return append(body[:len(body)-1], `,"custom_fields":null}`...), nil
}

// applicationIDs are the ids of the applications of opportunities.
func applicationIDs(connector uuid.UUID, opportunities []string) []uuid.UUID {
	return idsOf(connector, unified.Applications, opportunities)
}
