package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// follow shows a request until it is settled, and prints how it ended.
func (d *demo) follow(ctx context.Context, r request, shown display) (result, error) {
	p, err := watch(ctx, d.store, d.conn.ID, r, shown)
	shown.close()
	if err != nil {
		return result{}, err
	}
	res := resultOf(p)
	fmt.Fprintln(d.out)
	res.print(d.out, d.app.style(d.out))
	return res, verdict(p)
}

func (d *demo) firstSync(ctx context.Context) (err error) {
	d.title("1. The first sync: it started by itself when the account was linked")
	r := request{scopes: unified.DefaultScopes(), due: *d.conn.CompletedAt}
	shown := &firstRows{display: d.display(), begun: time.Now()}
	d.told.First, err = d.follow(ctx, r, shown)
	if err == nil && shown.after > 0 {
		d.say("The first rows could be queried after %s.", short(shown.after))
	}
	return err
}

// firstRows notes when the first rows are there.
type firstRows struct {
	display
	begun time.Time
	after time.Duration
}

func (f *firstRows) show(p progress) {
	if f.after == 0 && p.records() > 0 {
		f.after = time.Since(f.begun)
	}
	f.display.show(p)
}

// demoChange is a change in the simulated account.
type demoChange struct {
	what string
	in   []levertest.Situation                                           // what it needs of an opportunity; nil: it finds its own
	make func(s *levertest.Server, id string) (levertest.Touched, error) // id "": one of its own
}

var demoChanges = []demoChange{
	{"a candidate moves one stage on", []levertest.Situation{levertest.Active, levertest.WithApplication}, (*levertest.Server).AdvanceStage},
	{"an interview is scheduled, which does not move Lever's updatedAt", []levertest.Situation{levertest.Active, levertest.WithoutChildren}, (*levertest.Server).AddInterview},
	{"feedback on a recent interview is edited, which moves no clock at all", nil, editFeedback},
	{"an offer is drafted for a candidate in the offer stage, which moves no clock either", []levertest.Situation{levertest.Active, levertest.InOfferStage, levertest.WithApplication}, (*levertest.Server).AddOffer},
	{"a candidacy is deleted", []levertest.Situation{levertest.Rejected, levertest.WithFeedback}, (*levertest.Server).DeleteOpportunity},
	{"a posting is renamed, which rewrites the tags of all its candidates", nil, renamePosting},
}

// editFeedback edits the feedback of somebody who was interviewed in the last days.
func editFeedback(s *levertest.Server, _ string) (levertest.Touched, error) {
	lately := map[string]bool{}
	for _, in := range s.Expected(string(unified.ScheduledInterviews)) {
		text, _ := in["start_at"].(string)
		at, err := time.Parse(unified.TimeLayout, text)
		app, ok := in["application"].(levertest.Rel)
		if since := time.Since(at); err == nil && ok && since > 0 && since < 12*24*time.Hour {
			lately[app.RemoteID] = true
		}
	}
	for _, form := range s.Expected(string(unified.Scorecards)) {
		if app, ok := form["application"].(levertest.Rel); ok && lately[app.RemoteID] {
			return s.EditFeedback(app.RemoteID)
		}
	}
	return levertest.Touched{}, levertest.ErrNoSuch
}

func renamePosting(s *levertest.Server, _ string) (levertest.Touched, error) {
	postings := s.Records("postings")
	if len(postings) == 0 {
		return levertest.Touched{}, levertest.ErrNoSuch
	}
	return s.RenamePosting(postings[len(postings)-1], "Head of Renamed Things")
}

// change changes a few records in the simulated account, each in another opportunity.
func (d *demo) change(context.Context) error {
	d.title("2. In Lever, meanwhile")
	used := map[string]bool{}
	for _, c := range demoChanges {
		id := ""
		for _, pick := range d.lever.PickN(len(demoChanges)+1, c.in...) {
			if c.in != nil && !used[pick] {
				id = pick
				break
			}
		}
		used[id] = true
		if c.in != nil && id == "" {
			continue // a small account may hold none that suits
		}
		if _, err := c.make(d.lever, id); errors.Is(err, levertest.ErrNoSuch) {
			continue
		} else if err != nil {
			return err
		}
		d.told.Changes = append(d.told.Changes, c.what)
		d.say("  - %s", c.what)
	}
	return nil
}

func (d *demo) secondSync(ctx context.Context) error {
	d.title("3. The second sync: what changed, and little else")
	r, err := ask(ctx, d.store, d.queue(), d.conn, unified.DefaultScopes(), syncFlags{})
	if err != nil {
		return err
	}
	if d.told.Second, err = d.follow(ctx, r, silence{}); err != nil {
		return err
	}
	// modified_at has milliseconds.
	if d.told.Moved, err = d.store.Moved(ctx, d.conn.ID, r.due.Truncate(time.Millisecond)); err != nil {
		return err
	}
	d.say("\nWhat was written:")
	d.printMoved(d.told.Moved)
	first, second := d.told.First.Calls, d.told.Second.Calls
	d.say("%s, where the first sync took %s: the lists again, 100 records a call, and the children of what changed or may have.",
		plural(second, "call"), number(first))
	return nil
}

func (d *demo) printMoved(moved []store.Moved) {
	t := table{head: []string{"SCOPE", "CREATED", "CHANGED", "DELETED"}, right: map[int]bool{1: true, 2: true, 3: true}}
	for _, m := range moved {
		t.add(m.Scope, number(m.Created), number(m.Changed), number(m.Deleted))
	}
	t.print(d.out, d.app.style(d.out))
}

// questions asks the examples, and prints each with its answer.
func (d *demo) questions(ctx context.Context) error {
	d.title("4. Questions, in SQL, over the views in the schema ats")
	for _, ex := range store.Examples {
		answer, err := d.store.Ask(ctx, ex.SQL, d.conn.ID)
		if err != nil {
			return err
		}
		d.told.Questions = append(d.told.Questions, demoAnswer{ex.Question, ex.SQL, answer})
		st := d.app.style(d.out)
		d.say("\n%s\n", st.bold(ex.Question))
		for line := range strings.Lines(ex.SQL) {
			d.say("    %s", st.dim(strings.TrimRight(line, "\n")))
		}
		d.say("")
		t := table{head: answer.Columns, right: map[int]bool{}}
		for i := range answer.Columns {
			t.right[i] = i > 0
		}
		for _, row := range answer.Rows {
			t.add(row...)
		}
		t.print(d.out, st)
	}
	return nil
}
