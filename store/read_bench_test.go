package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// BenchmarkWrite is a first load of applications, 100 a transaction, with (as migrated) and without what the API
// reads by: the indexes of relations, the feed's version and its index.
func BenchmarkWrite(b *testing.B) {
	for _, bare := range []bool{false, true} {
		name := "with the API's indexes"
		if bare {
			name = "without"
		}
		b.Run(name, func(b *testing.B) {
			db := storetest.New(b)
			if bare {
				for _, index := range []string{"applications_candidate", "applications_job", "applications_version", "candidates_emails", "candidates_version"} {
					db.Exec("DROP INDEX " + index)
				}
				db.Exec("DROP TRIGGER version ON applications")
				db.Exec("DROP TRIGGER version ON candidates")
			}
			c, _, err := db.Store.CreateConnector(b.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k", Scopes: unified.Scopes})
			if err != nil {
				b.Fatal(err)
			}
			l, _, err := db.Store.Acquire(b.Context(), c.ID, stream, "tester", 100)
			if err == nil {
				l, err = db.Store.Begin(b.Context(), l, "backfill", []string{"applications"}, nil, true)
			}
			if err != nil {
				b.Fatal(err)
			}
			n, page := 0, 0
			for b.Loop() {
				var apps []*unified.Application
				var people []*unified.Candidate
				for i := range 100 {
					// Every second page writes what is there again, changed.
					remote := fmt.Sprintf("opportunity %d", page/2*100+i)
					person := unified.ID(c.ID, unified.Candidates, remote)
					source := fmt.Sprint("source ", page)
					apps = append(apps, &unified.Application{Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Applications, remote), RemoteID: remote}, Candidate: &person, Job: new(uuid.New()), Source: &source})
					people = append(people, &unified.Candidate{Envelope: unified.Envelope{ID: person, RemoteID: remote}, FirstName: &source, EmailAddresses: []string{remote + "@example.com"}})
				}
				_, err := db.Store.Commit(b.Context(), l, writePage(apps, people))
				if err != nil {
					b.Fatal(err)
				}
				n += 200
				page++
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func writePage(apps []*unified.Application, people []*unified.Candidate) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		if err := store.Upsert(ctx, tx, apps); err != nil {
			return err
		}
		return store.Upsert(ctx, tx, people)
	}
}
