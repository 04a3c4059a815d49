package worker

import (
	"context"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// confidentiality is what a list is asked for: confidential records too, until Lever refuses. The refusal is
// remembered until a full resync, which asks again.
func (s *slice) confidentiality() string {
	if s.flags().Confidential == "no" && !s.state.FullRequested {
		return ""
	}
	return "all"
}

// learnConfidential takes the end of a list that was asked for as confidentiality says. A refusal of the first
// page is remembered, and the list is to be read again without confidential records. A list that came to its end
// with them takes back a refusal of old: else the next run would not ask for them, and miss them all.
func (s *slice) learnConfidential(ctx context.Context, c *cursor, err error) (again bool, _ error) {
	f := s.flags()
	refused := lever.Classify(err) == lever.VerdictForbidden && c.Confidentiality != "" && c.Page == 0
	regained := err == nil && c.Confidentiality != "" && f.Confidential == "no"
	if !refused && !regained {
		return false, err
	}
	f.Confidential = ""
	if refused {
		f.Confidential = "no"
		c.Confidentiality, c.Token = "", ""
	}
	cerr := s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SetFlags(ctx, f.encode()); err != nil {
			return err
		}
		tx.SaveCursor(c.encode())
		return nil
	})
	return refused && cerr == nil, cerr
}
