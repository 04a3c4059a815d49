package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// TestTenants tries every route with what must not open it.
func TestTenants(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other, otherToken := e.newConnector()
	var mine, theirs []unified.Record
	for _, sc := range unified.Scopes {
		mine, theirs = append(mine, blank(sc, e.conn, "mine")), append(theirs, blank(sc, other, "theirs"))
	}
	e.put(e.conn, mine...)
	e.put(other, theirs...)
	e.note(e.conn, "mine", "mine")
	e.note(other, "theirs", "theirs")
	revoked := e.newKey(nil)
	keys, err := e.db.Store.APIKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.db.Store.RevokeAPIKey(t.Context(), keys[len(keys)-1].ID); err != nil {
		t.Fatal(err)
	}
	small := map[string]string{store.KeyRead: e.newKey([]string{store.KeyWrite}), store.KeyWrite: e.newKey([]string{store.KeyRead}), store.KeyAdmin: e.newKey([]string{store.KeyRead, store.KeyWrite})}

	bearer := func(key string) []string { return []string{"Authorization", "Bearer " + key} }
	with := func(h []string, more ...string) []string { return append(append([]string{}, h...), more...) }
	const header = "X-Connector-Token"
	n := 0
	for _, r := range routes {
		path := strings.NewReplacer("{id}", unified.ID(e.conn.ID, scopeOfPath(r.Path), "mine").String(), "{connector_id}", uuid.NewString(), "{key_id}", uuid.NewString(), "{temporary_token}", "t").Replace(r.Path)
		cases := []struct {
			name    string
			path    string
			headers []string
			want    int
		}{
			{"no key", path, []string{header, e.token}, 401},
			{"no Bearer", path, []string{"Authorization", e.key, header, e.token}, 401},
			{"mistyped key", path, with(bearer(e.key[:len(e.key)-1]+"z"), header, e.token), 401},
			{"revoked key", path, with(bearer(revoked), header, e.token), 401},
			{"key of too small a scope", path, with(bearer(small[r.Scope]), header, e.token), 403},
			{"token as key", path, with(bearer(e.token), header, e.token), 401},
			{"key in the query", path + "?api_key=" + e.key, []string{header, e.token}, 401},
		}
		if r.Token {
			cases = append(cases, []struct {
				name    string
				path    string
				headers []string
				want    int
			}{
				{"no token", path, bearer(e.key), 422},
				{"token in the query", path + "?x-connector-token=" + e.token, bearer(e.key), 422},
				{"key as token", path, with(bearer(e.key), header, e.key), 401},
				{"unknown token", path, with(bearer(e.key), header, e.token[:63]+"_"), 401},
			}...)
		}
		if strings.Contains(r.Path, "{id}") {
			cases = append(cases, struct {
				name    string
				path    string
				headers []string
				want    int
			}{"another connector's token", path, with(bearer(e.key), header, otherToken), 404})
		}
		for _, c := range cases {
			n++
			a := e.do(r.Method, c.path, c.headers...)
			if a.status != c.want {
				t.Errorf("%s %s with %s = %d %s; want %d", r.Method, c.path, c.name, a.status, a.body, c.want)
			}
			if got := a.header.Get("WWW-Authenticate"); (got != "") != (c.want == 401) {
				t.Errorf("%s %s with %s: WWW-Authenticate = %q", r.Method, c.path, c.name, got)
			}
			if a.header.Get("X-RateLimit-Limit") == "" || a.header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s with %s: headers %v; want X-RateLimit-Limit and X-Request-Id", r.Method, c.path, c.name, a.header)
			}
		}
		if r.Token && r.Method == http.MethodGet && !strings.Contains(r.Path, "{") {
			// Another's token reads another's records, and those alone.
			a := e.do(r.Method, path, with(bearer(e.key), header, otherToken)...)
			if a.status != 200 || strings.Contains(string(a.body), "mine") || strings.Contains(string(a.body), e.conn.ID.String()) {
				t.Errorf("GET %s with another connector's token = %d %s", path, a.status, a.body)
			}
		}
	}
	t.Logf("%d cases of %d routes", n, len(routes))
}

// scopeOfPath is the scope that a path names.
func scopeOfPath(path string) unified.Scope {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, ats), "/")
	return unified.Scope(name)
}

// blank is a record of a scope with nothing but its envelope.
func blank(sc unified.Scope, c store.Connector, remote string) unified.Record {
	e := envelope(c, sc, remote)
	switch sc {
	case unified.Applications:
		return &unified.Application{Envelope: e}
	case unified.Attachments:
		path := "/opportunities/" + remote + "/files/" + remote + "/download"
		return &unified.Attachment{Envelope: e, Source: "files", DownloadPath: &path}
	case unified.Candidates:
		return &unified.Candidate{Envelope: e}
	case unified.Departments:
		return &unified.Department{Envelope: e}
	case unified.EEOCs:
		return &unified.EEOC{Envelope: e}
	case unified.Jobs:
		return &unified.Job{Envelope: e}
	case unified.JobInterviewStages:
		return &unified.JobInterviewStage{Envelope: e}
	case unified.Offers:
		return &unified.Offer{Envelope: e}
	case unified.Offices:
		return &unified.Office{Envelope: e}
	case unified.RejectReasons:
		return &unified.RejectReason{Envelope: e}
	case unified.RemoteUsers:
		return &unified.RemoteUser{Envelope: e}
	case unified.ScheduledInterviews:
		return &unified.ScheduledInterview{Envelope: e}
	case unified.Scorecards:
		return &unified.Scorecard{Envelope: e}
	case unified.ScreeningQuestions:
		return &unified.ScreeningQuestion{Envelope: e}
	case unified.Tags:
		return &unified.Tag{Envelope: e}
	}
	panic(fmt.Sprintf("no record of %s", sc))
}
