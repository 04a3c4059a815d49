package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec("DROP SCHEMA leversync CASCADE")
	db.Exec("DROP SCHEMA ats CASCADE")
	all, err := store.Pending(t.Context(), db.URL)
	if err != nil || all == 0 {
		t.Fatalf("Pending of an empty database = %d, %v; want all migrations, nil", all, err)
	}
	done := make([][]int64, 4)
	for i, err := range together(4, func(i int) (err error) {
		done[i], err = store.Migrate(t.Context(), db.URL)
		return err
	}) {
		if err != nil {
			t.Errorf("Migrate %d of 4 at once: %v", i, err)
		}
	}
	versions := slices.Concat(done...)
	slices.Sort(versions)
	if len(versions) != all || len(slices.Compact(versions)) != all {
		t.Errorf("4 Migrate at once applied %v; want each of %d migrations once", done, all)
	}
	if n, err := store.Pending(t.Context(), db.URL); n != 0 || err != nil {
		t.Errorf("Pending after Migrate = %d, %v; want 0, nil", n, err)
	}
	if again, err := store.Migrate(t.Context(), db.URL); len(again) != 0 || err != nil {
		t.Errorf("Migrate once more = %v, %v; want none, nil", again, err)
	}
}

func TestMigrateErrorsHideTheURL(t *testing.T) {
	t.Parallel()
	const url = "postgres://user:hunter2@127.0.0.1:notaport/db"
	_, err := store.Migrate(t.Context(), url)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("Migrate(%s) = %v; want an error that names DATABASE_URL and no password", "a bad URL", err)
	}
	if _, err := store.Pending(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Pending(%s) = %v; want an error without the password", "a bad URL", err)
	}
	if s, err := store.Open(t.Context(), store.Config{URL: url}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open(%s) = %v, %v; want an error without the password", "a bad URL", s, err)
	}
}
