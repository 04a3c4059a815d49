package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// rebuild makes candidates anew from all their opportunities: those at hand, and those that are stored. A
// candidate whose last opportunity is gone is gone.
func (o *opportunities) rebuild(ctx context.Context, tx *store.Tx, m mapping.Mapper, people map[string][]lever.Opportunity) error {
	if !o.wants(unified.Candidates) || len(people) == 0 {
		return nil
	}
	var persons, fresh []string
	for p, opps := range people {
		persons = append(persons, p)
		for _, v := range opps {
			fresh = append(fresh, v.ID)
		}
	}
	slices.Sort(persons)
	raws, err := tx.RawOf(ctx, persons, fresh)
	if err != nil {
		return err
	}
	for _, raw := range raws {
		var v lever.Opportunity
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("worker: a stored opportunity does not decode: %w", err)
		}
		people[mapping.ContactOf(v)] = append(people[mapping.ContactOf(v)], v)
	}
	var recs []*unified.Candidate
	var gone []string
	for _, p := range persons {
		opps := newest(people[p])
		if len(opps) == 0 {
			gone = append(gone, p)
			continue
		}
		rec, err := m.Candidate(opps)
		if err != nil {
			if err := tx.Quarantine(ctx, store.Rejected{Scope: unified.Candidates, Key: p, Reason: err.Error(), Raw: []byte("{}")}); err != nil {
				return err
			}
			continue
		}
		recs = append(recs, rec)
	}
	if err := store.Upsert(ctx, tx, recs); err != nil {
		return err
	}
	return tx.Tombstone(ctx, unified.Candidates, gone)
}

// newest keeps the last of opportunities that come twice.
func newest(opps []lever.Opportunity) []lever.Opportunity {
	at := map[string]int{}
	var out []lever.Opportunity
	for _, v := range opps {
		if i, twice := at[v.ID]; twice {
			out[i] = v
			continue
		}
		at[v.ID] = len(out)
		out = append(out, v)
	}
	return out
}
