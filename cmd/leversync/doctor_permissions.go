package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// checkPermissions tells what Lever refuses: by what syncs have learnt, or, with --connector, by asking.
func checkPermissions(ctx context.Context, d *doctor) finding {
	const fix = "have the account's Lever administrator give the permission, or turn the scope off: leversync connector scopes ID --disable SCOPE"
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	if d.connector != nil {
		return d.probe(ctx, fix)
	}
	refused, err := d.store.RefusedScopes(ctx, uuid.Nil)
	if err != nil {
		return skipped("the tables can't be asked: is the schema this version's?")
	}
	if len(refused) > 0 {
		r := refused[0]
		return warn(fix, "Lever refuses %s, the first is %s of %s (--connector asks it now)", plural(int64(len(refused)), "scope"), r.Scope, r.ConnectorID)
	}
	return ok("Lever has refused no scope (--connector asks it now)")
}

// probe asks one call of each list, of the connector's own rate.
func (d *doctor) probe(ctx context.Context, fix string) finding {
	if d.redis == nil || d.cfg.Keyring == nil {
		return skipped("Redis or the keys are not there")
	}
	w := worker.New(worker.Config{Store: d.store, Redis: d.redis, Log: discard, LeverURL: d.cfg.LeverAPIURL, OAuth: oauthOf(d.cfg), RateLimit: d.cfg.RateLimit})
	defer w.Shutdown() // it logs what was called
	c, err := w.Client(ctx, d.connector.ID)
	if err != nil {
		return fail("leversync connector relink "+d.connector.ID.String(), "the account has no credential that opens: %v", cause(err))
	}
	opportunity, err := d.store.AParent(ctx, d.connector.ID, unified.Applications)
	if err != nil {
		return skipped("%s", noPostgres)
	}
	asks := probes(c, opportunity)
	verdicts := make([]lever.Verdict, len(asks))
	var wg sync.WaitGroup
	for i, p := range asks {
		wg.Go(func() { verdicts[i] = lever.Classify(p.ask(ctx)) })
	}
	wg.Wait()
	var refused, unknown []string
	for i, v := range verdicts {
		switch v {
		case lever.VerdictOK, lever.VerdictGone:
		case lever.VerdictForbidden:
			refused = append(refused, asks[i].name)
		case lever.VerdictRelink:
			return fail("leversync connector relink "+d.connector.ID.String(), "Lever refuses the credential of %s", d.connector.ID)
		default:
			unknown = append(unknown, asks[i].name)
		}
	}
	switch {
	case len(refused) > 0:
		return warn(fix, "Lever refuses the lists %s", strings.Join(refused, ", "))
	case len(unknown) > 0:
		return warn("try again; `leversync calls --failed` shows whether syncs have the same trouble", "no answer of use for the lists %s", strings.Join(unknown, ", "))
	}
	return ok("Lever lets %s be read", plural(int64(len(asks)), "list"))
}

// probe is one list to ask for.
type probe struct {
	name string
	ask  func(context.Context) error
}

// probes are the lists that scopes are made of; those of an opportunity's children where there is one to ask about.
func probes(c *lever.Client, opportunity string) []probe {
	list := []probe{
		{"users", func(ctx context.Context) error { return first(c.Users(ctx, "")) }},
		{"stages", func(ctx context.Context) error { return first(c.Stages(ctx, "")) }},
		{"archive_reasons", func(ctx context.Context) error { return first(c.ArchiveReasons(ctx, "")) }},
		{"tags", func(ctx context.Context) error { return first(c.Tags(ctx, "")) }},
		{"postings", func(ctx context.Context) error { return first(c.Postings(ctx, lever.PostingOptions{})) }},
		{"opportunities", func(ctx context.Context) error { return first(c.Opportunities(ctx, lever.OpportunityOptions{})) }},
	}
	if opportunity == "" {
		return list
	}
	return append(list,
		probe{"interviews", func(ctx context.Context) error { _, err := c.Interviews(ctx, opportunity); return err }},
		probe{"feedback", func(ctx context.Context) error { _, err := c.Feedback(ctx, opportunity); return err }},
		probe{"offers", func(ctx context.Context) error { _, err := c.Offers(ctx, opportunity); return err }},
		probe{"resumes", func(ctx context.Context) error { _, err := c.Resumes(ctx, opportunity); return err }},
		probe{"files", func(ctx context.Context) error { _, err := c.Files(ctx, opportunity); return err }},
	)
}

// first reads a list's first page alone.
func first[T any](pages iter.Seq2[lever.Page[T], error]) error {
	for _, err := range pages {
		return err
	}
	return fmt.Errorf("no page came")
}
