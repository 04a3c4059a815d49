package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
)

const generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"

// TestGeneratedClient is the seed's story as an integrator lives it: a client generated from /openapi.json by a public
// generator makes the link, the customer's administrator authorizes it in a real browser, in a window of the
// integrator's own page, and the client takes it from there (see testdata/client).
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	account := c.withLever(levertest.Config{Seed: 53, Opportunities: 30, RatePerSecond: -1})
	base := c.startWeb()
	key := decode[map[string]any](t, c.must("apikey", "create", "--name", "integrator", "--json"))["api_key"].(string)
	program := generateClient(t, base)

	client := exec.CommandContext(t.Context(), program)
	client.Env = append(os.Environ(), "BASE_URL="+base, "API_KEY="+key)
	var problems bytes.Buffer
	client.Stderr = &problems
	stdin, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Process.Kill(), client.Wait() })
	said := json.NewDecoder(stdout)
	hear := func(v any) {
		t.Helper()
		if err := said.Decode(v); err != nil {
			t.Fatalf("the client said no more (%v): %s", err, problems.Bytes())
		}
	}

	var link struct {
		MagicLink   string `json:"magic_link"`
		ConnectorID string `json:"connector_id"`
	}
	hear(&link)
	c.must("connector", "scopes", link.ConnectorID, "--enable", "eeocs") // off by default
	token := authorize(t, link.MagicLink)
	expected := map[string]int{}
	for _, scope := range unified.Scopes {
		for range account.Expected(string(scope)) {
			expected[string(scope)]++
		}
	}
	before := account.Len()
	if _, err := fmt.Fprintln(stdin, token); err != nil { // from here on it goes its own way
		t.Fatal(err)
	}
	var found struct {
		Counts    map[string]int
		Candidate struct {
			FirstName      string   `json:"first_name"`
			LastName       string   `json:"last_name"`
			RemoteID       string   `json:"remote_id"`
			EmailAddresses []string `json:"email_addresses"`
			Applications   []string
		}
	}
	hear(&found)
	for scope, want := range expected {
		if got := found.Counts[scope]; got != want || want == 0 {
			t.Errorf("the client read %d %s, want %d, and some", got, scope, want)
		}
	}
	if p := found.Candidate; p.FirstName != "John" || p.LastName != "Doe" || len(p.Applications) != 1 || len(p.EmailAddresses) != 1 {
		t.Errorf("the client reads its candidate as %+v, want John Doe with one address and one application", p)
	}
	if n := account.Len(); n != before+1 {
		t.Errorf("Lever has %d opportunities after the write, want %d", n, before+1)
	}
	inLever := false
	for id, candidate := range account.Expected(string(unified.Candidates)) {
		inLever = inLever || id == found.Candidate.RemoteID && candidate["last_name"] == "Doe"
	}
	if !inLever {
		t.Errorf("Lever has no contact %s with the name Doe", found.Candidate.RemoteID)
	}
}

// authorize links the account in a window that the integrator's page opens, and returns the temporary token that the
// page was told.
func authorize(t *testing.T, link string) string {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, integratorPage, link)
	}))
	t.Cleanup(page.Close)
	b := newChromium(t)
	b.open(page.URL)
	b.shot("the integrator's page")
	window := b.window(func() { b.click("Connect Lever") })
	window.see("Allow and Continue")
	window.shot("who asks, what is read, and why")
	window.follow("Allow and Continue", "Authorize access to your account")
	window.shot("Lever's consent")
	window.follow("Accept", "Lever is connected")
	window.shot("the first sync")
	b.see("Linked.")
	token := evaluate[string](b, "document.querySelector('output').dataset.token")
	if token == "" {
		t.Fatal("the window told no temporary token")
	}
	window.see("has been copied")
	window.shot("the first sync is done")
	return token
}

// integratorPage opens the link in a window and waits for its message, as a product that embeds leversync does.
const integratorPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Some product</title><link rel="icon" href="data:,"></head>
<body><main><h1>Some product</h1><button>Connect Lever</button> <output></output></main>
<script>
document.querySelector("button").addEventListener("click", () => window.open(%q, "link", "popup,width=1000,height=800"));
window.addEventListener("message", (event) => {
  if (event.data.type !== "leversync.linked") return;
  const output = document.querySelector("output");
  output.dataset.token = event.data.temporary_token;
  output.textContent = "Linked.";
});
</script></body></html>`

// generateClient generates and compiles testdata/client, and returns the program.
func generateClient(t *testing.T, base string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "client"))); err != nil {
		t.Fatal(err)
	}
	document := fetchDocument(t, base)
	if err := os.Mkdir(filepath.Join(folder, "leversync"), 0o755); err != nil {
		t.Fatal(err)
	}
	goTool := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "GOWORK=off")
		return cmd.CombinedOutput()
	}
	if out, err := goTool("run", generator, "--version"); err != nil {
		lacks(t, fmt.Sprintf("no generator (it takes the Go module proxy): %v: %.300s", err, out))
	}
	if out, err := goTool("run", generator, "-generate", "types,client", "-package", "leversync", "-o", filepath.Join("leversync", "client.gen.go"), document); err != nil {
		t.Fatalf("oapi-codegen refuses /openapi.json: %v: %.2000s", err, out)
	}
	program := filepath.Join(folder, "client")
	if out, err := goTool("build", "-o", program, "."); err != nil {
		t.Fatalf("what oapi-codegen makes of /openapi.json does not serve testdata/client: %v: %.2000s", err, out)
	}
	return program
}

// fetchDocument saves the served /openapi.json in a file of the test.
func fetchDocument(t *testing.T, base string) string {
	t.Helper()
	status, body := get(t, base+"/openapi.json")
	if status != http.StatusOK {
		t.Fatalf("GET /openapi.json: %d %.300s", status, body)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const linter = "@redocly/cli@2.77.0"

// TestOpenAPIPassesAPublicLinter holds the served document to all of the linter's recommendations but one.
func TestOpenAPIPassesAPublicLinter(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	file := fetchDocument(t, c.startWeb())
	lint := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "npm", append([]string{"exec", "--yes", "--", linter}, args...)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
		cmd.Stderr = io.Discard // notices about Node.js and npm
		return cmd.Output()
	}
	if out, err := lint(t.Context(), "--version"); err != nil || strings.TrimSpace(string(out)) == "" {
		lacks(t, fmt.Sprintf("no OpenAPI linter (it takes npm): %v", err))
	}
	// Creating what Lever takes no creation of is refused, with a sentence, and never succeeds.
	out, err := lint(t.Context(), "lint", file, "--extends", "recommended", "--skip-rule", "operation-2xx-response", "--format", "json")
	var report struct {
		Totals   *struct{ Errors, Warnings int }
		Problems []struct {
			RuleID, Severity, Message string
			Location                  []struct{ Pointer string }
		}
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil || report.Totals == nil {
		t.Fatalf("%s lint: %v, %v: %.500s", linter, err, jsonErr, out)
	}
	for _, p := range report.Problems {
		t.Errorf("/openapi.json: %s %s: %s %v", p.Severity, p.RuleID, p.Message, p.Location)
	}
	if err != nil || report.Totals.Errors > 0 || report.Totals.Warnings > 0 {
		t.Errorf("%s lint: %v, %+v; want no error and no warning", linter, err, *report.Totals)
	}
}
