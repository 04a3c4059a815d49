package worker_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// canary is a candidate whose texts occur nowhere else, with all that can hang on one.
type canary struct {
	id      uuid.UUID // ours
	contact string
	opp     string
	records []uuid.UUID // of all scopes
	texts   []string    // that tell of it, Lever's ids too
}

const canaryEmail = "wilhelmina@zylberstein.example"

func newCanaryOpportunity(p *pen) lever.NewOpportunity {
	return lever.NewOpportunity{Name: "Wilhelmina Zylberstein", Headline: "Keeper of the Orrery", Emails: []string{canaryEmail},
		Phones: []lever.NewPhone{{Value: "+44 7700 900987"}}, Links: []string{"https://zylberstein.example/cv"}, Postings: p.jobs[:1]}
}

func newCanary(p *pen) canary {
	t := p.t
	t.Helper()
	reply, _, err := p.write("Wilhelmina's key "+canaryEmail, newCanaryOpportunity(p))
	if err != nil {
		t.Fatalf("CreateCandidate: %v", err)
	}
	var made struct {
		ID       uuid.UUID `json:"id"`
		RemoteID string    `json:"remote_id"`
	}
	if err := json.Unmarshal(reply, &made); err != nil {
		t.Fatal(err)
	}
	c := canary{id: made.ID, contact: made.RemoteID}
	c.opp = storetest.Value[string](p.db, `SELECT remote_id FROM parents WHERE connector_id = $1 AND person = $2`, p.conn.ID, made.RemoteID)
	for name, add := range map[string]func(string) (levertest.Touched, error){
		"AddInterview": p.lever.AddInterview, "AddFeedback": p.lever.AddFeedback, "AddOffer": p.lever.AddOffer, "AddFile": p.lever.AddFile, "AddResume": p.lever.AddResume,
	} {
		if _, err := add(c.opp); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	p.sync(true)
	p.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash) VALUES
    ($1, 'offers', 'a spoilt offer', $2, 'no time', '{"note": "for Zylberstein"}', ''),
    ($1, 'applications', 'a spoilt opportunity', '', 'no time', convert_to('{"name": "W. Zylberstein", "contact": "' || $3::text || '"}', 'UTF8'), '')`, p.conn.ID, c.opp, c.contact)
	p.db.Exec(`UPDATE connector_scopes SET quarantined = quarantined + 1 WHERE connector_id = $1 AND scope IN ('offers', 'applications')`, p.conn.ID)
	// Six digits of the number alone come about by chance in what Redis is told: in an id, or a time.
	c.texts = []string{"Zylberstein", "7700 900987", "7700900987", "Orrery", c.opp, c.contact}
	for _, sc := range []unified.Scope{unified.Attachments, unified.Offers, unified.ScheduledInterviews, unified.Scorecards} {
		remotes := storetest.Column[string](p.db, `SELECT remote_id FROM `+sc.Table()+` WHERE connector_id = $1 AND parent = $2`, p.conn.ID, c.opp)
		if len(remotes) == 0 {
			t.Errorf("the canary has no %s: nothing is shown of their erasure", sc)
		}
		for _, r := range remotes {
			c.texts, c.records = append(c.texts, r), append(c.records, unified.ID(p.conn.ID, sc, r))
		}
	}
	c.records = append(c.records, c.id, unified.ID(p.conn.ID, unified.Applications, c.opp))
	return c
}

// feedOf are the operations that the feed ends in, by record.
func feedOf(p *pen) map[uuid.UUID]bool {
	p.t.Helper()
	list, err := p.db.Store.Changes(p.t.Context(), p.conn.ID, store.FeedPosition{}, 100000)
	if err != nil {
		p.t.Fatal(err)
	}
	gone := map[uuid.UUID]bool{}
	for _, c := range list {
		gone[c.Record.ID] = c.Record.DeletedAt != nil
	}
	return gone
}

// counted compares the scopes' counters with the records that there are.
func counted(p *pen) {
	p.t.Helper()
	list, err := p.db.Store.Scopes(p.t.Context(), p.conn.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range list {
		n := storetest.Value[int64](p.db, `SELECT count(*) FROM `+unified.Scope(s.Scope).Table()+` WHERE connector_id = $1 AND deleted_at IS NULL`, p.conn.ID)
		q := storetest.Value[int64](p.db, `SELECT count(*) FROM quarantine WHERE connector_id = $1 AND scope = $2`, p.conn.ID, s.Scope)
		if s.Records != n || s.Quarantined != q {
			p.t.Errorf("%s: %d records and %d quarantined by its counters, want %d and %d", s.Scope, s.Records, s.Quarantined, n, q)
		}
	}
}

// Of a candidate that was erased nothing is left in any column of any table, and no sync and no write brings it back,
// although Lever still has it.
func TestErasedStaysErased(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	commands := p.redis.Overhear()
	p.start(worker.Config{})
	p.sync(true)
	c := newCanary(p)
	if found := p.db.Find(c.texts...); len(found) < 20 {
		t.Fatalf("before the erasure the canary is in %d columns only: %q", len(found), found)
	}
	feedOf(p)
	p.db.Exec(`INSERT INTO hints (connector_id, kind, remote_id, scopes) VALUES ($1, 'opportunity', $2, '{}')`, p.conn.ID, c.opp)
	dry, err := p.db.Store.Erase(t.Context(), p.conn.ID, c.id.String(), true)
	if err != nil || !dry.DryRun || len(p.db.Find("Zylberstein")) == 0 {
		t.Fatalf("Erase, dry = %+v, %v; want counts, and nothing done", dry, err)
	}
	done, err := p.db.Store.Erase(t.Context(), p.conn.ID, c.id.String(), false)
	if err != nil {
		t.Fatalf("Erase: %v", err)
	}
	for table, n := range dry.Counts {
		if done.Counts[table] != n {
			t.Errorf("Erase took %d of %s, and said before that it would take %d", done.Counts[table], table, n)
		}
	}
	for _, table := range []string{"applications", "attachments", "candidates", "offers", "scheduled_interviews", "scorecards", "parents", "quarantine", "outbox", "hints"} {
		if done.Counts[table] == 0 {
			t.Errorf("Erase counts %v; want some of %s", done.Counts, table)
		}
	}
	empty := func(when string) {
		t.Helper()
		if found := p.db.Find(c.texts...); len(found) > 0 {
			t.Errorf("%s the canary is still in %q", when, found)
		}
		counted(p)
	}
	empty("after the erasure")
	// It waits for what others are writing, in whatever database of the server.
	p.until("the feed tells that all of the canary's records are gone", time.Minute, func() bool {
		gone := feedOf(p)
		return !slices.ContainsFunc(c.records, func(id uuid.UUID) bool { return !gone[id] })
	})
	p.sync(false)
	empty("after a sync")
	p.sync(true)
	empty("after a full sync")
	// Written anew it is the same contact at Lever, and stays unread here.
	var unreadable *store.UnreadableError
	if _, _, err := p.write("another key", newCanaryOpportunity(p)); !errors.As(err, &unreadable) {
		t.Errorf("a write of the erased candidate: %v; want an UnreadableError", err)
	}
	empty("after a write")
	p.sync(true)
	empty("after a write and a sync")
	if name := storetest.Column[string](p.db, `SELECT remote_id FROM candidates WHERE id = $1`, c.id); len(name) != 1 || name[0] != "" {
		t.Errorf("remote ids of the erased candidate: %q; want one that is empty", name)
	}
	// Lever's webhooks tell of them too: nobody is looked for, and a hint that was on its way brings nothing.
	p.hooked()
	p.hint(store.HintOpportunity, []string{c.opp}, unified.ScheduledInterviews)
	p.hint(store.HintContact, []string{c.contact})
	if p.waiting() != 0 {
		t.Errorf("%d hints at the erased candidate wait, want none", p.waiting())
	}
	p.db.Exec(`INSERT INTO hints (connector_id, kind, remote_id, scopes) VALUES ($1, 'contact', $2, '{}'), ($1, 'opportunity', $3, '{scheduled-interviews}')`, p.conn.ID, c.contact, c.opp)
	p.looked()
	empty("after webhooks")
	// Redis never heard of them, so it has nothing to forget.
	heard := commands()
	for _, text := range c.texts {
		if strings.Contains(heard, text) {
			t.Errorf("Redis was told of %q", text)
		}
	}
	if !strings.Contains(heard, "lever:sync") {
		t.Errorf("of Redis %d bytes were overheard, and no task: nothing is shown", len(heard))
	}
	// Asked again, it has the same receipt, by whatever id.
	for _, name := range []string{c.id.String(), c.contact, c.opp} {
		again, err := p.db.Store.Erase(t.Context(), p.conn.ID, name, false)
		if err != nil || !again.Again || again.ID != done.ID {
			t.Errorf("Erase once more = %+v, %v; want the receipt %s", again, err, done.ID)
		}
	}
	if list, err := p.db.Store.Erasures(t.Context(), p.conn.ID); err != nil || len(list) != 1 || list[0].ID != done.ID {
		t.Errorf("Erasures = %+v, %v; want the one", list, err)
	}
	if _, err := p.db.Store.Erase(t.Context(), p.conn.ID, uuid.NewString(), false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Erase of nobody: %v, want ErrNotFound", err)
	}
}

// A page that was on its way when its person was erased writes nothing of the person.
func TestAnErasureStopsAPageUnderWay(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 3, Opportunities: 250, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.sync(true)
	person := storetest.Value[string](e.db, `SELECT remote_id FROM candidates WHERE connector_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1`, e.conn.ID)
	e.db.Exec(`UPDATE parents SET raw_hash = NULL, digest = NULL WHERE connector_id = $1`, e.conn.ID) // all looks changed
	erased := make(chan error, 1)
	go func() {
		_, err := e.db.Store.Erase(t.Context(), e.conn.ID, person, false)
		erased <- err
	}()
	e.sync(true)
	if err := <-erased; err != nil {
		t.Fatalf("Erase while a sync runs: %v", err)
	}
	if found := e.db.Find(person); len(found) > 0 {
		t.Errorf("after the sync that ran beside the erasure: %q", found)
	}
}

// What Lever has anonymised is anonymous here after the next sync: files and notes that are gone there keep nothing, and
// what was set aside goes.
func TestAnonymizedIsForgotten(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	p.start(worker.Config{})
	p.sync(true)
	c := newCanary(p)
	if _, err := p.lever.DeleteFile(c.opp); err != nil {
		t.Fatal(err)
	}
	p.sync(true)
	deleted := func() int64 {
		return storetest.Value[int64](p.db, `SELECT count(*) FROM attachments WHERE connector_id = $1 AND deleted_at IS NOT NULL AND raw IS NOT NULL`, p.conn.ID)
	}
	if deleted() == 0 {
		t.Fatal("no file is gone and kept: nothing is shown")
	}
	if _, err := p.lever.AnonymizeOpportunity(c.opp); err != nil {
		t.Fatal(err)
	}
	p.sync(false)
	p.check()
	counted(p)
	if n := deleted(); n != 0 {
		t.Errorf("%d files that are gone still have their payloads", n)
	}
	// An erasure that comes later finds nothing any more that it would have to be told of.
	if named := storetest.Column[string](p.db, `SELECT remote_id FROM attachments WHERE connector_id = $1 AND deleted_at IS NOT NULL AND parent = '' AND remote_id <> ''`, p.conn.ID); len(named) > 0 {
		t.Errorf("files that are gone are still known by Lever's ids: %q", named)
	}
	// A write's reply is kept for its day, and Lever still has the name in the terms of its offer.
	found := slices.DeleteFunc(p.db.Find("Zylberstein", "900987"), func(s string) bool {
		return strings.Contains(s, " in outbox.") || strings.Contains(s, " in offers.raw") || strings.Contains(s, " in quarantine.raw") // what did not name its opportunity
	})
	if len(found) > 0 {
		t.Errorf("after it was anonymised: %q", found)
	}
}
