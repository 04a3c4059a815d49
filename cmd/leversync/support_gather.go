package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

const (
	supportSince = 7 * 24 * time.Hour
	supportRows  = 500
)

// supportStatus is an account as the bundle has it: without its names.
type supportStatus struct {
	ConnectorID uuid.UUID           `json:"connector_id"`
	Status      string              `json:"status"`
	Reason      string              `json:"status_reason"`
	Paused      bool                `json:"paused"`
	Scopes      []store.ScopeStatus `json:"scopes"`
}

// gather collects the files. What can't be had, because a service is away, says so in its file: a bundle is wanted most then.
func (a *app) gather(ctx context.Context) ([]bundleFile, error) {
	findings, err := a.examine(ctx, "")
	if err != nil {
		return nil, err
	}
	d := a.newDoctor(ctx)
	defer d.close()
	hide := d.secrets(a)
	var files []bundleFile
	add := func(name, what string, ask func() (any, error)) {
		v, err := ask()
		if err != nil {
			v = map[string]string{"error": cause(err).Error()}
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			fmt.Fprintf(&b, "%q\n", err.Error())
		}
		files = append(files, bundleFile{name: name, what: what, content: []byte(blot(b.String(), hide))})
	}
	add("version.json", "what runs", func() (any, error) { return readBuild(), nil })
	add("configuration.json", "the variables; secrets as [redacted]", func() (any, error) { return a.configuration(), nil })
	add("doctor.json", "what the doctor finds", func() (any, error) { return findings, nil })
	add("queues.json", "how many tasks wait, and who works; no payload", func() (any, error) { return d.supportQueues() })
	for _, f := range d.supportQueries() {
		add(f.name, f.what, func() (any, error) {
			if d.store == nil {
				return nil, errors.New("no Postgres is configured")
			}
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			return f.ask(ctx, d.store)
		})
	}
	return files, nil
}

// supportQuery is a file that Postgres fills.
type supportQuery struct {
	name, what string
	ask        func(context.Context, *store.Store) (any, error)
}

func (d *doctor) supportQueries() []supportQuery {
	since := time.Now().Add(-supportSince)
	return []supportQuery{
		{"status.json", "accounts by id, and their scopes; no names", supportStatuses},
		{"work.json", "what is due, stuck, failed, set aside: counts", func(ctx context.Context, s *store.Store) (any, error) { return s.Workload(ctx, d.cfg.SyncInterval) }},
		{"postgres.json", "its version and settings", func(ctx context.Context, s *store.Store) (any, error) { return s.Server(ctx) }},
		{"schema.json", "the migrations applied", func(ctx context.Context, s *store.Store) (any, error) { return s.Migrations(ctx) }},
		{"tables.json", "sizes of tables", func(ctx context.Context, s *store.Store) (any, error) { return s.TableSizes(ctx) }},
		{"runs.json", "failed runs of the last week", func(ctx context.Context, s *store.Store) (any, error) { return s.FailedRuns(ctx, since, supportRows) }},
		{"calls.json", "failed calls of the last week: paths are templates, queries are left out", func(ctx context.Context, s *store.Store) (any, error) {
			calls, err := s.Calls(ctx, store.CallFilter{Failed: true, Since: since, Limit: supportRows})
			for i := range calls {
				calls[i].Query = ""
			}
			return calls, err
		}},
	}
}

func supportStatuses(ctx context.Context, s *store.Store) (any, error) {
	all, err := s.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]supportStatus, 0, len(all))
	for _, c := range all[:min(len(all), supportRows)] {
		scopes, err := s.Scopes(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, supportStatus{ConnectorID: c.ID, Status: c.Status, Reason: c.StatusReason, Paused: c.Paused, Scopes: scopes})
	}
	return out, nil
}

func (d *doctor) supportQueues() (any, error) {
	if d.queue == nil {
		return nil, errors.New("no Redis is configured")
	}
	queues, err := d.queues()
	if err != nil {
		return nil, err
	}
	workers, err := d.queue.Servers()
	return map[string]any{"queues": queues, "workers": workers}, err
}

// configuration is every variable that is set, by name. A secret shows no more than that it is.
func (a *app) configuration() map[string]string {
	out := map[string]string{}
	for _, v := range config.Vars() {
		value := a.getenv(v.Name)
		if v.Secret && (value != "" || a.getenv(v.Name+"_FILE") != "") {
			value = "[redacted]"
		}
		if value == "" {
			continue
		}
		out[v.Name] = value
	}
	return out
}

// secrets are the values of the configuration that must show nowhere, with the passwords in URLs.
func (d *doctor) secrets(a *app) []string {
	var out []string
	for _, v := range config.Vars() {
		if s := strings.TrimSpace(a.getenv(v.Name)); v.Secret && s != "" {
			out = append(out, s)
			out = append(out, strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
	}
	for _, s := range []string{d.cfg.DatabaseURL.Reveal(), d.cfg.RedisURL.Reveal(), d.cfg.LeverClientSecret.Reveal()} {
		if s != "" {
			out = append(out, s)
		}
	}
	if d.cfg.RedisOptions != nil && d.cfg.RedisOptions.Password != "" {
		out = append(out, d.cfg.RedisOptions.Password)
	}
	if u, err := url.Parse(d.cfg.DatabaseURL.Reveal()); err == nil {
		if password, _ := u.User.Password(); password != "" {
			out = append(out, password) // as it is, and not as URLs write it
		}
	}
	for _, s := range out {
		if b, err := json.Marshal(s); err == nil {
			out = append(out, string(b[1:len(b)-1])) // as it stands in a file of the bundle
		}
	}
	return out
}

// What may stand in a text by accident, though no text of ours is made of it.
var blots = []struct {
	expr *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s/"@]*@`), "[redacted]@"},
	{regexp.MustCompile(`[\w.%+'-]+@[\w-]+(\.[\w-]+)+`), "[e-mail]"},
	{regexp.MustCompile(store.APIKeyPrefix + `[\w-]+`), "[API key]"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w.~+/=-]+`), "$1 [redacted]"},
	{regexp.MustCompile(`\+\d[\d ()./-]{6,}\d`), "[telephone]"},
	// Random, as keys and tokens are: no word, no UUID and no commit is so long without a break.
	{regexp.MustCompile(`[A-Za-z0-9_+/=]{41,}`), "[redacted]"},
}

// blot takes out what must not be in a bundle.
func blot(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	for _, b := range blots {
		text = b.expr.ReplaceAllString(text, b.by)
	}
	return text
}
