package worker

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// CreateCandidate creates an opportunity in the name of a user of Lever, and returns its candidate as the API
// gives it, which can be read from then on. Errors: see Writer.do.
func (wr *Writer) CreateCandidate(ctx context.Context, in store.NewWrite, performAs string, o lever.NewOpportunity, opts lever.CreateOptions) (json.RawMessage, error) {
	in.Kind = store.WriteCandidate
	return wr.do(ctx, in, newCandidateDeed(performAs, o), func(ctx context.Context, c *lever.Client) (string, error) {
		it, _, err := c.CreateOpportunity(ctx, performAs, o, opts)
		return it.Value.ID, err
	})
}

// candidateDeed is what a new opportunity is known again by. One with an e-mail address is looked up by that,
// one without by everything else that it says of the person: both among those created since, of the same
// posting, and followed by who created it, as Lever makes it. No mark is left on it for this.
type candidateDeed struct {
	PerformAs string   `json:"perform_as"`
	Emails    []string `json:"emails,omitempty"`
	Name      string   `json:"name,omitempty"`
	Headline  string   `json:"headline,omitempty"`
	Phones    []string `json:"phones,omitempty"`
	Links     []string `json:"links,omitempty"`
	Posting   string   `json:"posting,omitempty"`
	CreatedAt int64    `json:"created_at,omitempty"` // ms; what Lever was told; 0: it takes its clock's
}

func newCandidateDeed(performAs string, o lever.NewOpportunity) *candidateDeed {
	d := &candidateDeed{PerformAs: performAs, Emails: o.Emails, Name: o.Name, Headline: o.Headline, Links: o.Links, CreatedAt: o.CreatedAt.Millis()}
	for _, p := range o.Phones {
		d.Phones = append(d.Phones, p.Value)
	}
	if len(o.Postings) > 0 {
		d.Posting = o.Postings[0]
	}
	return d
}

func (d *candidateDeed) scope() unified.Scope { return unified.Candidates }

// window is when the opportunity was created, by Lever's account.
func (d *candidateDeed) window(row store.Write) (since, until time.Time) {
	if d.CreatedAt != 0 {
		at := time.UnixMilli(d.CreatedAt).UTC()
		return at, at
	}
	if row.FirstSentAt == nil {
		return row.Now.Add(-clockSkew), row.Now.Add(clockSkew)
	}
	return row.FirstSentAt.Add(-clockSkew), row.Now.Add(clockSkew)
}

func (d *candidateDeed) find(ctx context.Context, a *attempt) (string, error) {
	since, until := d.window(a.row)
	var found []lever.Opportunity
	for _, email := range d.addresses() {
		for _, confidentiality := range []string{"all", ""} {
			opts := lever.OpportunityOptions{
				ExpandApplications: true, CreatedSince: since, CreatedUntil: until, Email: email, Confidentiality: confidentiality,
			}
			got, err := d.among(ctx, a, opts)
			if lever.Classify(err) == lever.VerdictForbidden && confidentiality != "" {
				continue // without the permission for confidential ones
			}
			if err != nil {
				return "", err
			}
			found = append(found, got...)
			break
		}
	}
	ids := make([]string, len(found))
	for i, o := range found {
		ids[i] = o.ID
	}
	others, err := a.wr.w.store.NotOurs(ctx, a.row, ids)
	if err != nil {
		return "", err
	}
	found = slices.DeleteFunc(found, func(o lever.Opportunity) bool { return others[o.ID] })
	if len(found) == 0 {
		return "", nil
	}
	oldest := slices.MinFunc(found, func(x, y lever.Opportunity) int { return x.CreatedAt.Compare(y.CreatedAt.Time) })
	return oldest.ID, nil
}

// addresses are what Lever is asked for: its filter may mind the case. One is enough, as an opportunity has
// all of its addresses; "" asks without.
func (d *candidateDeed) addresses() []string {
	if len(d.Emails) == 0 {
		return []string{""}
	}
	return slices.Compact([]string{d.Emails[0], strings.ToLower(d.Emails[0])})
}

// among are the matches of one listing.
func (d *candidateDeed) among(ctx context.Context, a *attempt, opts lever.OpportunityOptions) ([]lever.Opportunity, error) {
	var out []lever.Opportunity
	for page, err := range a.client().Opportunities(ctx, opts) {
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			if it.Err == nil && d.matches(it) {
				out = append(out, it.Value)
			}
		}
	}
	return out, nil
}

// matches reports whether an opportunity of the window may be the one.
func (d *candidateDeed) matches(it lever.Item[lever.Opportunity]) bool {
	o := it.Value
	var posting string
	if len(o.Applications) > 0 {
		posting = string(o.Applications[0].Posting)
	}
	if posting != d.Posting || !followedBy(it.Raw, d.PerformAs) {
		return false
	}
	if len(d.Emails) > 0 {
		return slices.ContainsFunc(o.Emails, func(e string) bool { return strings.EqualFold(strings.TrimSpace(e), strings.TrimSpace(d.Emails[0])) })
	}
	var phones []string
	for _, p := range o.Phones {
		phones = append(phones, p.Value)
	}
	return strings.TrimSpace(o.Name) == strings.TrimSpace(d.Name) && strings.TrimSpace(o.Headline) == strings.TrimSpace(d.Headline) &&
		len(o.Emails) == 0 && containsAll(phones, d.Phones) && containsAll(o.Links, d.Links)
}

// followedBy reports whether an opportunity has a follower; one that names none may.
func followedBy(raw json.RawMessage, user string) bool {
	var o struct {
		Followers []lever.Ref `json:"followers"`
	}
	if json.Unmarshal(raw, &o) != nil || len(o.Followers) == 0 {
		return true
	}
	return slices.Contains(o.Followers, lever.Ref(user))
}

func containsAll(list, values []string) bool {
	for _, v := range values {
		if !slices.Contains(list, v) {
			return false
		}
	}
	return true
}

// keep writes the opportunity just as a page of the list is written.
func (d *candidateDeed) keep(ctx context.Context, a *attempt, remoteID string) (json.RawMessage, error) {
	it, err := a.client().Opportunity(ctx, remoteID)
	switch lever.Classify(err) {
	case lever.VerdictGone, lever.VerdictForbidden:
		return a.commit(ctx, streamOpportunities, func(context.Context, *store.Tx) (json.RawMessage, error) { return nil, nil })
	}
	if err != nil {
		return nil, err
	}
	s := a.wr.w.store
	state, err := s.Stream(ctx, a.connector.ID, streamOpportunities)
	if err != nil {
		return nil, err
	}
	o := &opportunities{slice: &slice{
		w: a.wr.w, conn: a.conn, connector: a.connector, stream: streams[streamOpportunities], state: state, enabled: a.enabled, rec: a.rec, log: a.log,
	}}
	if o.hired, err = s.HiredReasons(ctx, a.connector.ID); err != nil {
		return nil, err
	}
	return a.commit(ctx, streamOpportunities, func(ctx context.Context, tx *store.Tx) (json.RawMessage, error) {
		if err := o.write(ctx, tx, []lever.Item[lever.Opportunity]{it}); err != nil {
			return nil, err
		}
		return tx.Reply(ctx, unified.Candidates, mapping.ContactOf(it.Value))
	})
}
