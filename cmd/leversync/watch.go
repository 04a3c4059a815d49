package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

const (
	lookEvery = 250 * time.Millisecond
	// blind is how long Postgres may be away while somebody watches.
	blind = 30 * time.Second
	// lonely is how long nothing may happen before somebody who watches is told why that may be.
	lonely = 10 * time.Second
	// manyRuns is more than one request ever makes.
	manyRuns = 200
)

// display shows progress to a person, or to nobody.
type display interface {
	show(p progress)
	// note says a sentence between.
	note(text string)
	close()
}

// look takes a snapshot.
func look(ctx context.Context, s *store.Store, connector uuid.UUID) (snapshot, error) {
	var snap snapshot
	var err error
	if snap.connector, err = s.Connector(ctx, connector); err != nil {
		return snap, err
	}
	if snap.scopes, err = s.Scopes(ctx, connector); err != nil {
		return snap, err
	}
	if snap.runs, err = s.Runs(ctx, connector, time.Time{}, manyRuns); err != nil {
		return snap, err
	}
	snap.left, err = s.ListsLeft(ctx, connector)
	snap.at = time.Now()
	return snap, err
}

// watch shows a request's progress until it is settled, or can't be any more, and returns the last of it.
func watch(ctx context.Context, s *store.Store, connector uuid.UUID, r request, d display) (progress, error) {
	begun := time.Now()
	var m meter
	var p progress
	seen, hinted := begun, false
	for {
		asked := time.Now()
		snap, err := look(ctx, s, connector)
		took := time.Since(asked)
		switch {
		case ctx.Err() != nil:
			return p, ctx.Err()
		case err != nil && (!store.Away(err) || time.Since(seen) > blind):
			return p, err
		case err == nil:
			seen = snap.at
			p = progressOf(snap, r, &m, begun)
			d.show(p)
			if p.over() {
				return p, nil
			}
			if !hinted && len(p.runs) == 0 && p.elapsed > lonely {
				hinted = true
				d.note(fmt.Sprintf("nothing has begun for %s: does a worker run (leversync serve, or leversync worker)?", short(lonely)))
			}
		}
		// A look at a large account costs something: it gets a tenth of the time at most.
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(max(lookEvery, 10*took)):
		}
	}
}

// silence shows nothing.
type silence struct{}

func (silence) show(progress) {}
func (silence) note(string)   {}
func (silence) close()        {}
