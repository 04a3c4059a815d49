package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever/levertest"
)

// unpack reads a bundle.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "leversync-support/")] = string(b)
	}
}

// Secrets and personal data that lie everywhere, even in texts where they do not belong, are in no file of a bundle.
func TestSupportBundleHoldsNoSecret(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 6, Opportunities: 5, RatePerSecond: -1})
	c.env["LEVER_CLIENT_ID"], c.env["LEVER_CLIENT_SECRET"] = "canary-app", "canary-client-secret"
	c.env["LEVERSYNC_OPERATOR_PASSWORD"] = `the "canary's" \word`
	id := c.create("--scopes", "candidates")
	apiKey := strings.TrimSpace(c.must("apikey", "create", "--name", "canary key name"))
	token := strings.Repeat("Ab3_", 16)
	canaries := []string{testKey, "test-key", "canary-client-secret", apiKey, token, "Canary Organisation", "canary-origin", "canary key name",
		"canary@example.com", "canary.person+1@mail.example.co.uk", "+1 (555) 010-9999", "Canary Headline", "canary-query", "canary-password", "canary's"}
	c.db.Exec(`UPDATE connectors SET org_name = 'Canary Organisation', origin_id = 'canary-origin', end_user_email = 'canary@example.com',
    status_reason = 'refused for canary@example.com with Bearer ' || $2::text WHERE id = $1`, id, token)
	c.db.Exec(`UPDATE connector_scopes SET reason = 'call +1 (555) 010-9999, canary.person+1@mail.example.co.uk' WHERE connector_id = $1`, id)
	c.db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, error) VALUES (gen_random_uuid(), $1, 'users', '{}', 'backfill', 'failed',
    'postgres://user:canary-password@host/db: ' || $2::text || ' canary@example.com ' || $3::text)`, id, apiKey, c.env["LEVERSYNC_OPERATOR_PASSWORD"])
	c.db.Exec(`INSERT INTO calls (id, connector_id, method, path, query, status, started_at, duration_ms, error) VALUES
    (gen_random_uuid(), $1, 'GET', '/users', 'email=canary-query', 500, now(), 1, 'for canary@example.com ' || $2::text)`, id, token)
	c.db.Exec(`INSERT INTO candidates (id, connector_id, remote_id, first_name, email_addresses, body_hash, raw) VALUES
    (gen_random_uuid(), $1, 'r', 'Canary Headline', '{canary@example.com}', '', '{"headline": "Canary Headline"}')`, id)
	c.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, reason, raw, raw_hash) VALUES ($1, 'candidates', 'canary@example.com', 'x', 'Canary Headline', '')`, id)

	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	o := c.run("support-bundle", path)
	if _, err := os.Stat(path); o.code != exitUsage || err == nil || !strings.Contains(o.out, "status.json") {
		t.Errorf("support-bundle where nobody can confirm: exit %d, file there: %v, %s; want 2, no file, and the listing", o.code, err == nil, o.out)
	}
	shown := c.must("support-bundle", "--show")
	listed := c.must("support-bundle", "--yes", path)
	files := unpack(t, path)
	everything := shown + listed
	for name, content := range files {
		if !strings.Contains(listed, name) || len(content) < 3 {
			t.Errorf("%s: %d bytes; want it listed, and something in it", name, len(content))
		}
		everything += content
	}
	if names := []string{"calls.json", "configuration.json", "doctor.json", "postgres.json", "queues.json", "runs.json", "schema.json", "status.json", "tables.json", "version.json", "work.json"}; len(files) != len(names) {
		t.Errorf("the bundle holds %d files, want %q", len(files), names)
	}
	for _, canary := range canaries {
		if i := strings.Index(everything, canary); i >= 0 {
			t.Errorf("the bundle holds %q: …%s…", canary, everything[max(0, i-60):min(len(everything), i+60)])
		}
	}
	for file, want := range map[string]string{"status.json": id, "configuration.json": `"DATABASE_URL": "[redacted]"`, "runs.json": "[e-mail]", "calls.json": "/users", "doctor.json": `"fix"`, "schema.json": `"version": 1`} {
		if !strings.Contains(files[file], want) {
			t.Errorf("%s = %s; want %q in it", file, files[file], want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle's mode: %v, %v; want 0600", info, err)
	}
	if o := c.run("support-bundle", "--yes", path); o.code != exitFailure || !strings.Contains(o.err, "there already") {
		t.Errorf("support-bundle over a file: exit %d, %s; want 1", o.code, o.err)
	}
}

// The manual says of each command what it does, and of each exit code what it means.
func TestOperatingManual(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../deploy/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := string(b)
	for _, c := range (&app{getenv: os.Getenv}).root().Commands() {
		if c.Name() != "help" && !strings.Contains(manual, c.Name()) {
			t.Errorf("deploy/docs/operating.md does not mention the command %s", c.Name())
		}
	}
	for _, code := range []string{"| 0 | done", "| 1 | failed", "| 2 | wrong usage", "| 3 | what was named", "| 4 | a sync ended"} {
		if !strings.Contains(manual, code) {
			t.Errorf("deploy/docs/operating.md lacks the exit code %q", code)
		}
	}
	dir := t.TempDir()
	if o := execute(t.Context(), nil, "", "docs", "man", dir); o.code != exitOK {
		t.Fatalf("docs man: exit %d: %s", o.code, o.err)
	}
	for _, page := range []string{"leversync.1", "leversync-doctor.1", "leversync-keys-rotate.1"} {
		if text, err := os.ReadFile(filepath.Join(dir, page)); err != nil || !strings.Contains(string(text), ".TH") {
			t.Errorf("%s: %.40s, %v; want a manual page", page, text, err)
		}
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   []int64
		want string
	}{{[]int64{0, 0}, "  "}, {[]int64{0, 1, 100}, " ▁█"}, {[]int64{50, 100, 25}, "▄█▂"}, {[]int64{1}, "█"}} {
		if got := sparkline(tt.in); got != tt.want {
			t.Errorf("sparkline(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Status goes on while it is watched, shows what has changed, and ends in good order.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	id := c.create("--scopes", "tags,offers")
	c.db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls) VALUES
    ('01890000-0000-7000-8000-000000000001', $1, 'tags', '{tags}', 'backfill', 'done', now() - interval '1 hour', now() - interval '1 hour' + interval '10 seconds', 25)`, id)
	c.db.Exec(`UPDATE connector_scopes SET last_run_id = '01890000-0000-7000-8000-000000000001', state = 'ok', records = 7 WHERE connector_id = $1 AND scope = 'tags'`, id)
	c.db.Exec(`INSERT INTO calls (id, connector_id, scope, method, path, status, started_at, duration_ms) SELECT gen_random_uuid(), $1, 'tags', 'GET', '/tags', 200, now() - interval '1 minute', 1`, id)
	out := c.must("status", id)
	for _, want := range []string{"LAST RUN", "RATE", "24 H", "2.5/s", "█", "1h00m ago"} {
		if !strings.Contains(out, want) {
			t.Errorf("status = %s; want %q in it", out, want)
		}
	}
	w := c.start("status", id, "--watch")
	w.find(w.stdout, `tags +ok +7`)
	c.db.Exec(`UPDATE connector_scopes SET records = 8 WHERE connector_id = $1 AND scope = 'tags'`, id)
	w.find(w.stdout, `tags +ok +8`)
	if code := w.stop(); code != exitOK {
		t.Errorf("status --watch, interrupted: exit %d, want 0: %s", code, w.stderr.text())
	}
	all := c.start("status", "--watch", "--json")
	all.find(all.stdout, `\{"connectors":\[.*"`+id+`".*\]\}\n`)
	if code := all.stop(); code != exitOK || slices.Contains(strings.Split(strings.TrimSpace(all.stdout.text()), "\n"), "{") {
		t.Errorf("status --watch --json: exit %d, %s; want 0 and a document a line", code, all.stdout.text())
	}
}

// Status and connector show say how an account stands, in the dashboard's words, and whether Lever tells of its changes.
func TestStatusStandings(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	id := c.create("--scopes", "tags,offers")
	for _, step := range []struct{ sql, line, webhooks string }{
		{`UPDATE connector_scopes SET state = 'ok', requested_at = NULL, synced_at = now() WHERE connector_id = $1 AND scope = 'tags'`, `syncing 50% +Acme +1/2`, "off: changes are found by the syncs"},
		{`UPDATE connector_scopes SET state = 'ok', requested_at = NULL, synced_at = now() WHERE connector_id = $1`, `synced +Acme +2/2`, "off"},
		{`UPDATE connector_scopes SET state = 'forbidden' WHERE connector_id = $1 AND scope = 'offers'`, `partial +Acme +1/2`, "off"},
		{`UPDATE connector_scopes SET state = 'failed' WHERE connector_id = $1`, `failed +Acme +0/2`, "off"},
		{`UPDATE connectors SET paused = true WHERE id = $1`, `paused +Acme .* –\n`, "off"},
		{`INSERT INTO webhooks (connector_id, path_sealed, path_hash) VALUES ($1, '', '')`, `paused`, "on, and none has come yet"},
		{`UPDATE webhooks SET received_at = now() - interval '3 hours' WHERE connector_id = $1`, `paused`, "on, the last one came 3h00m ago"},
		{`UPDATE connectors SET status = 'RELINK_NEEDED', relink_needed_at = now() WHERE id = $1`, `relink-needed +Acme`, "on"},
	} {
		c.db.Exec(step.sql, id)
		if out := c.must("status"); !regexp.MustCompile(step.line).MatchString(out) {
			t.Errorf("after %s, status = %s; want %s", step.sql, out, step.line)
		}
		word, _, _ := strings.Cut(step.line, " ")
		for _, out := range []string{c.must("status", id), c.must("connector", "show", id)} {
			if !strings.Contains(out, word) || !strings.Contains(out, step.webhooks) {
				t.Errorf("after %s: %s\nwant %s, and webhooks %s", step.sql, out, word, step.webhooks)
			}
		}
	}
	shown := decode[map[string]any](t, c.must("connector", "show", id, "--json"))
	if shown["sync_status"] != "relink-needed" || shown["webhooks"] != true || shown["webhook_at"] == nil || shown["percent"] != nil || len(shown["scopes"].([]any)) != 15 {
		t.Errorf("connector show --json = %v; want how it stands, webhooks and all scopes", shown)
	}
}
