package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// TestAppendField reads every kind of field as JSON: as pgx asks for it by itself, and by the simple protocol, in
// which all comes as text.
func TestAppendField(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	at := unified.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC))
	person := unified.ID(c.ID, unified.Candidates, "p")
	put(t, db, running(t, db, c.ID, stream), &unified.Candidate{
		Envelope:  unified.Envelope{ID: person, RemoteID: "p"},
		FirstName: new("Zoë \"\\ \n\x01 </b> \u2028 𝒵"), IsPrivate: new(true), RemoteCreatedAt: &at,
		Tags: []string{`a "quoted", {tag}`, ""}, Locations: []string{}, URLs: []unified.URL{{Value: new("https://example.com"), URLType: new("OTHER")}}})
	app := unified.ID(c.ID, unified.Applications, "a")
	l := running(t, db, c.ID, "other")
	put(t, db, l, &unified.Application{Envelope: unified.Envelope{ID: app, RemoteID: "a"}, Candidate: &person})
	put(t, db, l, &unified.JobInterviewStage{Envelope: unified.Envelope{ID: uuid.New(), RemoteID: "s"}, StageOrder: new(-7)})
	want := map[string]string{
		"first_name": `"Zoë \"\\ \n\u0001 </b> ` + "\u2028" + ` 𝒵"`, "last_name": "null", "is_private": "true", "remote_created_at": `"2026-01-02T03:04:05.678Z"`,
		"tags": `["a \"quoted\", {tag}",""]`, "locations": "[]", "phone_numbers": "null", "urls": `[{"value": "https://example.com", "url_type": "OTHER"}]`,
		"applications": fmt.Sprintf("[%q]", app), "attachments": "[]", "candidate": fmt.Sprintf("%q", person), "job": "null", "stage_order": "-7",
	}
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	asked := u.Query()
	asked.Set("default_query_exec_mode", "simple_protocol")
	u.RawQuery = asked.Encode()
	simple, err := store.Open(t.Context(), store.Config{URL: u.String(), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(simple.Close)
	for name, s := range map[string]*store.Store{"extended": db.Store, "simple": simple} {
		got := map[string]string{}
		for _, sc := range []unified.Scope{unified.Candidates, unified.Applications, unified.JobInterviewStages} {
			p, err := s.Page(t.Context(), store.ReadQuery{Connector: c.ID, Scope: sc, Limit: 51})
			if err != nil || len(p.Records) != 1 {
				t.Fatalf("%s protocol: Page of %s = %d records, %v; want 1, nil", name, sc, len(p.Records), err)
			}
			for field := range want {
				if i := store.Field(sc, field); i >= 0 {
					got[field] = compact(t, p.Records[0].AppendField(nil, i))
				}
			}
		}
		for field, w := range want {
			want[field] = compact(t, []byte(w))
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s protocol: fields = %q;\nwant %q", name, got, want)
		}
	}
}

// compact is a JSON text as encoding/json writes what it reads of it, which orders and spaces it.
func compact(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s is no JSON: %v", b, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func FuzzAppendText(f *testing.F) {
	for _, s := range []string{"", "a", `"\`, "\x00\x1f\n\r\t", "é</script>\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(s)
		if err != nil {
			t.Skip(err)
		}
		var want, got string
		if json.Unmarshal(b, &want) != nil || want != s {
			t.Skip("no UTF-8: Postgres has none such")
		}
		if err := json.Unmarshal(store.AppendText(nil, s), &got); err != nil || got != want {
			t.Errorf("AppendText(%q) reads back as %q, %v; want the same", s, got, err)
		}
	})
}

// TestRecognize holds that what this process takes from a caller is taken at once.
func TestRecognize(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	for name, take := range map[string]func(key uuid.UUID, c uuid.UUID) error{
		"RevokeAPIKey":             func(key, _ uuid.UUID) error { return db.Store.RevokeAPIKey(t.Context(), key) },
		"RegenerateAPIKey":         func(key, _ uuid.UUID) error { _, _, err := db.Store.RegenerateAPIKey(t.Context(), key); return err },
		"RegenerateConnectorToken": func(_, c uuid.UUID) error { _, err := db.Store.RegenerateConnectorToken(t.Context(), c); return err },
		"DeleteConnector":          func(_, c uuid.UUID) error { return db.Store.DeleteConnector(t.Context(), c) },
	} {
		c, token, err := db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k"})
		if err != nil {
			t.Fatal(err)
		}
		k, key, err := db.Store.CreateAPIKey(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second from memory
			if got, err := db.Store.Recognize(t.Context(), key, token); err != nil || got.Connector == nil || got.Connector.ID != c.ID || got.KeyID != k.ID {
				t.Fatalf("Recognize before %s = %+v, %v; want the connector", name, got, err)
			}
		}
		if err := take(k.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Store.Recognize(t.Context(), key, token); err == nil && got.Connector != nil {
			t.Errorf("Recognize after %s = %+v; want no connector", name, got)
		}
	}
}

// TestRecognizeAsksAhead holds that of many who ask one learns anew who they are, before it is forgotten.
func TestRecognizeAsksAhead(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), time.Now()
	for after, want := range map[time.Duration]int{0: 0, store.RecognizedFor / 3: 0, store.RecognizedFor * 2 / 3: 1, store.RecognizedFor: 9, time.Hour: 9} {
		if got := store.RememberedFor(db.Store, now, now.Add(after), 9); got != want {
			t.Errorf("of 9 who ask after %v, %d ask Postgres; want %d", after, got, want)
		}
	}
}

// TestReadsTakeTurns holds that a read waits while as many run as may, and no longer than its caller does.
func TestReadsTakeTurns(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	q := store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 1}
	end := store.TakeReads(db.Store)
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 2)
	for _, ctx := range []context.Context{ctx, t.Context()} {
		go func() {
			_, err := db.Store.Page(ctx, q)
			read <- err
		}()
	}
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("a read whose caller went = %v; want context.Canceled", err)
	}
	end()
	if err := <-read; err != nil {
		t.Errorf("a read that waited = %v", err)
	}
}

// TestAListEndsAsItStands holds that how a list stands is of the moment on its first page and on its last, and that a connector
// that was deleted amid a list is not taken for one with fewer records.
func TestAListEndsAsItStands(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	var tags []unified.Record
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		tags = append(tags, &unified.Tag{Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Tags, id), RemoteID: id}})
	}
	put(t, db, running(t, db, c.ID, stream), tags...)
	var after *store.Position
	for i, want := range []struct {
		page    string
		asks    bool
		records int
	}{{"first", true, 2}, {"second", false, 2}, {"last", true, 1}, {"first, once more", true, 2}} {
		if want.records == 2 && i > 1 {
			after = nil
		}
		at := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		db.Exec(`UPDATE connector_scopes SET synced_at = $1`, at)
		p, err := db.Store.Page(t.Context(), store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 2, After: after})
		if err != nil || p.Scope.SyncedAt == nil || want.asks && !p.Scope.SyncedAt.Equal(at) || p.Scope.SyncedAt.After(at) {
			t.Fatalf("the %s page stands at %v, %v; want %v", want.page, p.Scope.SyncedAt, err, at)
		}
		if len(p.Records) != want.records {
			t.Fatalf("the %s page has %d records; want %d", want.page, len(p.Records), want.records)
		}
		pos := p.Records[len(p.Records)-1].Position()
		after = &pos
	}
	if err := db.Store.DeleteConnector(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Store.Page(t.Context(), store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 2, After: &store.Position{}}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a page of a connector that was deleted: %v; want ErrNotFound", err)
	}
}
