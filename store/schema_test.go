package store_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestTablesMatchTheModel(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	for _, sc := range unified.Scopes {
		want := []string{"id", "connector_id", "remote_id", "parent", "raw", "raw_hash", "body_hash", "created_at", "modified_at", "deleted_at", "version"}
		rt := reflect.TypeOf(blank[sc]()).Elem()
		for i := range rt.NumField() {
			if f := rt.Field(i); !f.Anonymous {
				want = append(want, columnOf(f))
			}
		}
		slices.Sort(want)
		got := storetest.Column[string](db, `SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'leversync' AND table_name = $1 ORDER BY column_name COLLATE "C"`, sc.Table())
		if !slices.Equal(got, want) {
			t.Errorf("columns of %s = %q; want %q", sc.Table(), got, want)
		}
	}
}

func TestKeysHoldTheConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	without := storetest.Column[string](db, `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'connector_id'
WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY(i.indkey)) ORDER BY 1`)
	// Links and their kin are few, and known by a secret's hash before it is known whose they are.
	if want := []string{"link_sessions", "links", "temporary_tokens"}; !slices.Equal(without, want) {
		t.Errorf("tables whose primary key lacks connector_id: %q; want %q", without, want)
	}
	// What has no connector at all is small: it does not grow with the accounts' data.
	small := storetest.Column[string](db, `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'connector_id') ORDER BY 1`)
	if want := []string{"api_keys", "connectors", "feed", "feed_start", "goose_db_version", "operator_sessions", "operators"}; !slices.Equal(small, want) {
		t.Errorf("tables without connector_id: %q; want %q", small, want)
	}
}

func TestViewsAreCommented(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	views := storetest.Column[string](db, `SELECT relname::text FROM pg_class WHERE relnamespace = 'ats'::regnamespace AND relkind = 'v'`)
	for _, sc := range unified.Scopes {
		if !slices.Contains(views, sc.Table()) {
			t.Errorf("views of ats: %q; want one for %s", views, sc)
		}
	}
	bare := storetest.Column[string](db, `SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
LEFT JOIN LATERAL (SELECT 0 AS attnum, NULL::name AS attname UNION ALL SELECT attnum, attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) a ON true
WHERE c.relnamespace = 'ats'::regnamespace AND coalesce(CASE WHEN a.attnum = 0 THEN obj_description(c.oid) ELSE col_description(c.oid, a.attnum) END, '') = ''
ORDER BY 1`)
	if len(bare) > 0 {
		t.Errorf("views and columns of ats without a comment: %q", bare)
	}
}

// modelOf is a scope's name in the published contract.
var modelOf = map[unified.Scope]string{
	unified.Applications: "Application", unified.Attachments: "Attachment", unified.Candidates: "Candidate",
	unified.Departments: "Department", unified.EEOCs: "EEOC", unified.Jobs: "Job",
	unified.JobInterviewStages: "JobInterviewStage", unified.Offers: "Offer", unified.Offices: "Office",
	unified.RejectReasons: "RejectReason", unified.RemoteUsers: "RemoteUser", unified.ScheduledInterviews: "ScheduledInterview",
	unified.Scorecards: "Scorecard", unified.ScreeningQuestions: "ScreeningQuestion", unified.Tags: "Tag",
}

func TestViewsHoldTheContract(t *testing.T) {
	t.Parallel()
	contract := readContract(t)
	db := storetest.New(t)
	for _, sc := range unified.Scopes {
		want := []string{"connector_id", "created_at"}
		if sc != unified.Departments && sc != unified.Offices { // these are texts of jobs, which have the payload
			want = append(want, "raw")
		}
		for name := range contract[modelOf[sc]].Properties {
			switch name {
			case "raw_data", "custom_fields", "file_url": // raw; what an installation adds; made for the API's caller
			default:
				want = append(want, name)
			}
		}
		slices.Sort(want)
		got := storetest.Column[string](db, `SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'ats' AND table_name = $1 ORDER BY column_name COLLATE "C"`, sc.Table())
		if !slices.Equal(got, want) {
			t.Errorf("columns of ats.%s = %q; want %q", sc.Table(), got, want)
		}
	}
}

type model struct{ Properties map[string]json.RawMessage }

// readContract reads the published contract's models; the test is skipped where it is not there.
func readContract(t *testing.T) map[string]model {
	t.Helper()
	fixtures := os.Getenv("LEVERSYNC_FIXTURES")
	if fixtures == "" {
		fixtures = filepath.FromSlash("../../shared/fixtures")
	}
	path := filepath.Join(fixtures, "..", "reference", "unified-api.schema.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: put the shared folder beside the checkout, or set LEVERSYNC_FIXTURES", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Defs map[string]model `json:"$defs"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c.Defs
}
