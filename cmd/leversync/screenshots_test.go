package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/leversync/leversync/lever/levertest"
)

// screenshotsEnv is the folder that the README's pictures are written to.
const screenshotsEnv = "LEVERSYNC_TEST_SCREENSHOTS"

// maxPicture bounds a picture in the repository, in bytes.
const maxPicture = 150 << 10

// TestScreenshots takes the README's pictures: by hand, with make screenshots.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	c, base, folder := pictured(t, screenshotsEnv)
	ids := c.organisations(t)
	c.picture(ids)

	b := newChromium(t)
	b.viewport(1200, 740)
	b.signIn(base, c.env["LEVERSYNC_OPERATOR_PASSWORD"])
	b.see("Wayne Enterprises")
	b.picture(folder, "connectors")
	b.dark(true)
	b.picture(folder, "connectors-dark")
	b.dark(false)
	b.open(base + "/connectors/" + ids[4])
	b.see("Scheduled interviews")
	b.picture(folder, "connector")
	b.open(base + "/connectors/" + ids[4] + "/calls")
	b.see("Waited is the time")
	b.picture(folder, "calls")
	b.viewport(390, 740)
	b.open(base + "/")
	b.see("Wayne Enterprises")
	b.picture(folder, "telephone")
}

// pictured runs what pictures are taken of, with an account of 200 opportunities to link: c, the address of its pages, and the
// folder that a variable names. Where it is not set, the test is skipped.
func pictured(t *testing.T, variable string) (c *cli, base, folder string) {
	t.Helper()
	if folder = os.Getenv(variable); folder == "" {
		t.Skip(variable + " is not set: run it with make screenshots")
	}
	c = newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 54, Opportunities: 200, RatePerSecond: -1})
	c.env["LEVERSYNC_OPERATOR_PASSWORD"] = "correct horse battery staple"
	return c, c.startWeb(), folder
}

// organisations are connectors that are synced.
func (c *cli) organisations(t *testing.T) []string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte("test-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, org := range []string{"Acme", "Globex", "Hooli", "Initech", "SpaceX", "Stark Industries", "Umbrella", "Wayne Enterprises"} {
		made := decode[map[string]any](t, c.must("connector", "create", "--org-name", org, "--origin-id", "customer-"+org[:2], "--lever-api-key-file", key, "--json"))
		ids = append(ids, made["connector_id"].(string))
	}
	for _, id := range ids {
		c.must("sync", id, "--wait")
	}
	return ids
}

// picture makes the connectors stand as they do after a day: in some state each.
func (c *cli) picture(ids []string) {
	c.t.Helper()
	for _, sql := range []string{
		`UPDATE connector_scopes SET synced_at = now() - interval '7 minutes', next_run_at = now() + interval '53 minutes', state = 'ok', requested_at = NULL`,
		`UPDATE runs SET started_at = now() - interval '7 minutes', ended_at = now() - interval '6 minutes', calls = least(calls, 14), bound = least(bound, 14)`,
		`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound)
SELECT gen_random_uuid(), c.id, 'opportunities', '{candidates,applications}', 'incremental', 'done', now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '20 minutes', k, k
FROM connectors c, generate_series(1, 23) n, LATERAL (SELECT 4 + abs(hashtext(c.id::text || n)) % (CASE WHEN n BETWEEN 8 AND 16 THEN 60 ELSE 9 END) AS k) r`,
	} {
		c.db.Exec(sql)
	}
	c.db.Exec(`UPDATE connector_scopes SET state = 'forbidden', reason = 'Lever refuses offers: the key lacks the permission offers:read:admin' WHERE connector_id = $1 AND scope = 'offers'`, ids[1])
	c.db.Exec(`UPDATE connectors SET paused = true WHERE id = $1`, ids[2])
	c.db.Exec(`UPDATE connectors SET status = 'RELINK_NEEDED', status_reason = 'Lever refuses the key', relink_needed_at = now() WHERE id = $1`, ids[3])
	c.db.Exec(`UPDATE connector_scopes SET state = 'syncing' WHERE connector_id = $1 AND scope IN ('attachments', 'offers', 'scheduled-interviews', 'scorecards')`, ids[6])
	c.db.Exec(`UPDATE parents SET pending = 1 WHERE connector_id = $1 AND remote_id < '6'`, ids[6])
}

// picture writes what the browser shows now.
func (c *chromium) picture(folder, name string) {
	c.t.Helper()
	png, err := chromedp.Run(c.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		c.t.Fatal(err)
	}
	if len(png) > maxPicture {
		c.t.Errorf("%s is %d bytes large, want at most %d", name, len(png), maxPicture)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		c.t.Fatal(err)
	}
}
