package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// The plainest program that does the same: it gets a page, decodes it with encoding/json, maps each opportunity to
// the same two unified rows, and upserts them with the raw body, a statement a table and a transaction a page. It has
// no log of calls, no lease, no budget, no checks, no hashes, no cursor, no children, and no index but the primary
// keys; it overlaps nothing, and on unchanged data does all of it again. See BenchmarkThroughput.

// plainTables are what it writes to: the columns of ours, and of the indexes the primary keys alone.
func plainTables(db *storetest.DB) {
	for _, sql := range []string{
		`CREATE SCHEMA plain`,
		`CREATE TABLE plain.applications (id uuid, connector_id uuid, remote_id text, candidate uuid, job uuid, applied_at timestamptz, rejected_at timestamptz,
    source text, credited_to uuid, current_stage uuid, reject_reason uuid, raw jsonb, modified_at timestamptz DEFAULT now(), PRIMARY KEY (id, connector_id))`,
		`CREATE TABLE plain.candidates (id uuid, connector_id uuid, remote_id text, first_name text, last_name text, company text, title text, last_interaction_at timestamptz,
    is_private boolean, can_email boolean, locations text[], phone_numbers text[], email_addresses text[], urls jsonb, tags text[], remote_created_at timestamptz,
    remote_updated_at timestamptz, avatar text, modified_at timestamptz DEFAULT now(), PRIMARY KEY (id, connector_id))`,
		`DO $$ BEGIN ALTER TABLE plain.applications ALTER COLUMN raw SET COMPRESSION lz4; EXCEPTION WHEN feature_not_supported THEN NULL; END $$`,
	} {
		db.Exec(sql)
	}
}

const plainApplications = `INSERT INTO plain.applications (connector_id, id, remote_id, candidate, job, applied_at, rejected_at, source, credited_to, current_stage, reject_reason, raw)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::uuid[], $10::uuid[], $11::uuid[], $12::jsonb[])
ON CONFLICT (id, connector_id) DO UPDATE SET remote_id = excluded.remote_id, candidate = excluded.candidate, job = excluded.job, applied_at = excluded.applied_at,
    rejected_at = excluded.rejected_at, source = excluded.source, credited_to = excluded.credited_to, current_stage = excluded.current_stage,
    reject_reason = excluded.reject_reason, raw = excluded.raw, modified_at = now()`

const plainCandidates = `INSERT INTO plain.candidates (connector_id, id, remote_id, first_name, last_name, company, title, last_interaction_at, is_private, can_email,
    locations, phone_numbers, email_addresses, urls, tags, remote_created_at, remote_updated_at, avatar)
SELECT $1, a, b, c, d, e, f, g, h, i, j::text[], k::text[], l::text[], m, n::text[], o, p, q
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::boolean[], $10::boolean[],
    $11::text[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::text[]) u(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
ON CONFLICT (id, connector_id) DO UPDATE SET remote_id = excluded.remote_id, first_name = excluded.first_name, last_name = excluded.last_name, company = excluded.company,
    title = excluded.title, last_interaction_at = excluded.last_interaction_at, is_private = excluded.is_private, can_email = excluded.can_email, locations = excluded.locations,
    phone_numbers = excluded.phone_numbers, email_addresses = excluded.email_addresses, urls = excluded.urls, tags = excluded.tags,
    remote_created_at = excluded.remote_created_at, remote_updated_at = excluded.remote_updated_at, avatar = excluded.avatar, modified_at = now()`

// plainMain loads an account, and says how many records that were and how long it took.
func plainMain() error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	m := mapping.Mapper{Connector: uuid.NewSHA1(uuid.NameSpaceURL, []byte("plain"))}
	fmt.Println("ready")
	began, n, token := time.Now(), 0, ""
	for {
		page, err := plainPage(ctx, token)
		if err != nil {
			return err
		}
		if err := plainWrite(ctx, conn, m, page.Data); err != nil {
			return err
		}
		n += len(page.Data)
		if token = page.Next; !page.HasNext {
			break
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{"records": int64(n), "ns": int64(time.Since(began))})
}

type plainAnswer struct {
	Data    []json.RawMessage `json:"data"`
	HasNext bool              `json:"hasNext"`
	Next    string            `json:"next"`
}

func plainPage(ctx context.Context, token string) (plainAnswer, error) {
	var page plainAnswer
	url := os.Getenv("LEVER_API_URL") + "/opportunities?expand=applications&confidentiality=all&limit=100"
	if token != "" {
		url += "&offset=" + strings.ReplaceAll(token, "%", "%25")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return page, err
	}
	req.SetBasicAuth("test-key", "")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return page, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return page, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return page, json.NewDecoder(resp.Body).Decode(&page)
}

func plainWrite(ctx context.Context, conn *pgx.Conn, m mapping.Mapper, raws []json.RawMessage) error {
	apps := make([]*unified.Application, len(raws))
	people := map[uuid.UUID]*unified.Candidate{}
	for i, raw := range raws {
		var o lever.Opportunity
		err := json.Unmarshal(raw, &o)
		if err != nil {
			return err
		}
		if apps[i], err = m.Application(o); err != nil {
			return err
		}
		c, err := m.Candidate([]lever.Opportunity{o})
		if err != nil {
			return err
		}
		people[c.ID] = c
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(plainApplications, plainApplicationArgs(m.Connector, apps, raws)...)
	b.Queue(plainCandidates, plainCandidateArgs(m.Connector, people)...)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func plainApplicationArgs(connector uuid.UUID, apps []*unified.Application, raws []json.RawMessage) []any {
	return []any{connector, column(apps, func(a *unified.Application) uuid.UUID { return a.ID }),
		column(apps, func(a *unified.Application) string { return a.RemoteID }),
		column(apps, func(a *unified.Application) *uuid.UUID { return a.Candidate }),
		column(apps, func(a *unified.Application) *uuid.UUID { return a.Job }),
		column(apps, func(a *unified.Application) *time.Time { return plainTime(a.AppliedAt) }),
		column(apps, func(a *unified.Application) *time.Time { return plainTime(a.RejectedAt) }),
		column(apps, func(a *unified.Application) *string { return a.Source }),
		column(apps, func(a *unified.Application) *uuid.UUID { return a.CreditedTo }),
		column(apps, func(a *unified.Application) *uuid.UUID { return a.CurrentStage }),
		column(apps, func(a *unified.Application) *uuid.UUID { return a.RejectReason }), raws}
}

func plainCandidateArgs(connector uuid.UUID, by map[uuid.UUID]*unified.Candidate) []any {
	people := make([]*unified.Candidate, 0, len(by))
	for _, c := range by {
		people = append(people, c)
	}
	return []any{connector, column(people, func(c *unified.Candidate) uuid.UUID { return c.ID }),
		column(people, func(c *unified.Candidate) string { return c.RemoteID }),
		column(people, func(c *unified.Candidate) *string { return c.FirstName }),
		column(people, func(c *unified.Candidate) *string { return c.LastName }),
		column(people, func(c *unified.Candidate) *string { return c.Company }),
		column(people, func(c *unified.Candidate) *string { return c.Title }),
		column(people, func(c *unified.Candidate) *time.Time { return plainTime(c.LastInteractionAt) }),
		column(people, func(c *unified.Candidate) *bool { return c.IsPrivate }),
		column(people, func(c *unified.Candidate) *bool { return c.CanEmail }),
		column(people, func(c *unified.Candidate) string { return plainList(c.Locations) }),
		column(people, func(c *unified.Candidate) string { return plainList(c.PhoneNumbers) }),
		column(people, func(c *unified.Candidate) string { return plainList(c.EmailAddresses) }),
		column(people, func(c *unified.Candidate) []unified.URL { return c.URLs }),
		column(people, func(c *unified.Candidate) string { return plainList(c.Tags) }),
		column(people, func(c *unified.Candidate) *time.Time { return plainTime(c.RemoteCreatedAt) }),
		column(people, func(c *unified.Candidate) *time.Time { return plainTime(c.RemoteUpdatedAt) }),
		column(people, func(c *unified.Candidate) *string { return c.Avatar })}
}

func column[R, T any](recs []R, of func(R) T) []T {
	out := make([]T, len(recs))
	for i, r := range recs {
		out[i] = of(r)
	}
	return out
}

func plainTime(t *unified.Time) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

var plainQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// plainList is Postgres's text of a list.
func plainList(list []string) string {
	for i, s := range list {
		list[i] = `"` + plainQuotes.Replace(s) + `"`
	}
	return "{" + strings.Join(list, ",") + "}"
}
