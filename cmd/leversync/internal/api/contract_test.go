package api

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
)

// contract is the published schema of all models.
type contract struct {
	compiler *jsonschema.Compiler
}

func readContract(t *testing.T) *contract {
	t.Helper()
	fixtures := os.Getenv("LEVERSYNC_FIXTURES")
	if fixtures == "" {
		fixtures = filepath.FromSlash("../../../../../shared/fixtures")
	}
	path := filepath.Join(fixtures, "..", "reference", "unified-api.schema.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: put the shared folder beside the checkout, or set LEVERSYNC_FIXTURES", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{compiler: jsonschema.NewCompiler()}
	if err := c.compiler.AddResource("contract.json", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds a body to a model of the contract.
func (c *contract) check(t *testing.T, what, model string, body []byte) {
	t.Helper()
	schema, err := c.compiler.Compile("contract.json#/$defs/" + model)
	if err != nil {
		t.Fatalf("the contract's %s: %v", model, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s is no %s: %v", what, model, err)
	}
}

// modelNames are the contract's names of the scopes' models.
var modelNames = map[unified.Scope]string{
	unified.Applications: "Application", unified.Attachments: "Attachment", unified.Candidates: "Candidate",
	unified.Departments: "Department", unified.EEOCs: "EEOC", unified.Jobs: "Job",
	unified.JobInterviewStages: "JobInterviewStage", unified.Offers: "Offer", unified.Offices: "Office",
	unified.RejectReasons: "RejectReason", unified.RemoteUsers: "RemoteUser", unified.ScheduledInterviews: "ScheduledInterview",
	unified.Scorecards: "Scorecard", unified.ScreeningQuestions: "ScreeningQuestion", unified.Tags: "Tag",
}

// TestContract syncs an account and holds every answer about it to the published contract.
func TestContract(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	e := newEnv(t)
	fake := e.sync(levertest.Config{Seed: 7, Opportunities: 120, RatePerSecond: -1})
	for _, sc := range unified.Scopes {
		path := "/api/ats/v1/" + string(sc)
		model := modelNames[sc]
		a := e.ok(path + "?page_size=200&include_raw_data=true&include_custom_fields=true")
		c.check(t, "GET "+path, model+"List", a.body)
		if got := a.header.Get("X-Sync-State"); got != "ok" {
			t.Errorf("GET %s: X-Sync-State = %q; want ok", path, got)
		}
		if got := a.header.Get("X-Sync-Watermark"); got == "" {
			t.Errorf("GET %s: no X-Sync-Watermark", path)
		}
		items := e.all(path + "?page_size=33")
		want := 0
		for range fake.Expected(string(sc)) {
			want++
		}
		if len(items) != want || want == 0 {
			t.Errorf("GET %s: %d records in all; want %d, and some", path, len(items), want)
		}
		for _, i := range items[:min(len(items), 5)] {
			one := fmt.Sprintf("%s/%s", path, i["id"])
			c.check(t, "GET "+one, model, e.ok(one).body)
		}
		if rels := relationNames(sc); rels != "" {
			c.check(t, "GET "+path+" expanded", model+"List", e.ok(path+"?expand="+rels).body)
		}
	}
	c.check(t, "connectors", "ConnectorList", e.ok("/api/ats/v1/connectors").body)
	c.check(t, "integrations", "IntegrationList", e.ok("/api/ats/v1/integrations").body)
	c.check(t, "401", "ErrorResponse", e.do(http.MethodGet, "/api/ats/v1/tags").body)
	c.check(t, "404", "ErrorResponse", e.get("/api/ats/v1/tags/00000000-0000-4000-8000-000000000000").body)
	c.check(t, "422", "ValidationErrorResponse", e.get("/api/ats/v1/tags?page_size=0").body)
	e.checkRelations()
	e.checkFeed(fake)
	e.checkDownload()
}

// checkRelations holds that an id that is given out can be fetched.
func (e *env) checkRelations() {
	e.t.Helper()
	there := map[string]bool{}
	for _, sc := range unified.Scopes {
		for _, i := range e.all("/api/ats/v1/" + string(sc) + "?page_size=200") {
			there[i["id"].(string)] = true
		}
	}
	for _, sc := range unified.Scopes {
		n := 0
		for _, i := range e.all("/api/ats/v1/" + string(sc) + "?page_size=200") {
			for _, f := range models[sc].fields {
				if f.target == nil || i[f.name] == nil {
					continue
				}
				list, many := i[f.name].([]any)
				if !many {
					list = []any{i[f.name]}
				}
				for _, id := range list {
					n++
					if !there[id.(string)] {
						e.t.Errorf("%s %s: %s = %s, which is nowhere", sc, i["id"], f.name, id)
					}
				}
			}
		}
		if n == 0 && relationNames(sc) != "" && sc != unified.JobInterviewStages {
			e.t.Errorf("%s: no relation leads anywhere", sc)
		}
	}
}

func relationNames(sc unified.Scope) string {
	var s string
	for _, f := range models[sc].fields {
		if f.target != nil {
			if s != "" {
				s += ","
			}
			s += f.name
		}
	}
	return s
}

func (e *env) checkDownload() {
	e.t.Helper()
	for _, i := range e.ok("/api/ats/v1/attachments").items(e.t) {
		id := i["id"].(string)
		if want := "https://sync.example.com/api/ats/v1/attachments/" + id + "/download"; i["file_url"] != want {
			e.t.Errorf("file_url = %v; want %s", i["file_url"], want)
		}
	}
	path := "/api/ats/v1/attachments/" + e.ok("/api/ats/v1/attachments?page_size=1").items(e.t)[0]["id"].(string)
	a := e.get(path + "/download")
	if a.status != http.StatusOK && a.status != http.StatusConflict || a.status == http.StatusOK && len(a.body) == 0 {
		e.t.Errorf("GET %s/download = %d with %d bytes; want 200 and some", path, a.status, len(a.body))
	}
	e.db.Exec("UPDATE attachments SET deleted_at = now() WHERE id = $1", path[len("/api/ats/v1/attachments/"):])
	if a := e.get(path + "/download"); a.status != http.StatusNotFound {
		e.t.Errorf("GET %s/download of a removed file = %d; want 404", path, a.status)
	}
	e.db.Exec("UPDATE attachments SET deleted_at = NULL WHERE id = $1", path[len("/api/ats/v1/attachments/"):])
}

// checkFeed holds that the feed has every record once.
func (e *env) checkFeed(fake *levertest.Server) {
	e.t.Helper()
	var want []string
	for _, sc := range unified.Scopes {
		for remote := range fake.Expected(string(sc)) {
			want = append(want, string(sc)+" "+remote)
		}
	}
	seen := map[string]int{}
	after, pages := "", 0
	read := func() (more bool) {
		path := "/api/ats/v1/changes?limit=97"
		if after != "" {
			path += "&after=" + after
		}
		a := e.ok(path)
		for _, i := range a.items(e.t) {
			seen[i["scope"].(string)+" "+i["remote_id"].(string)]++
			if i["operation"] == "upsert" && i["record"].(map[string]any)["id"] != i["id"] {
				e.t.Errorf("change of %s %s: record = %v", i["scope"], i["id"], i["record"])
			}
		}
		pages++
		m := a.json(e.t)
		after = m["cursor"].(string)
		return m["has_more"].(bool)
	}
	e.until(func() bool {
		for read() {
		}
		return len(seen) >= len(want)
	})
	for _, w := range want {
		if n := seen[w]; n != 1 {
			e.t.Errorf("changes: %s came %d times; want once", w, n)
		}
	}
	if pages < 2 {
		e.t.Errorf("changes: %d records in %d pages; want several", len(seen), pages)
	}
}
