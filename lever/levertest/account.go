package levertest

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
)

// doc is a body of Lever as a client reads it; its numbers are json.Number.
type doc = map[string]any

// account is what the oracle reads: the bodies that a client with the server's permissions can get.
type account interface {
	opportunities() iter.Seq[doc]       // applications expanded
	ids() iter.Seq[string]              // of the opportunities
	opportunity(id string) doc          // nil when it is not there
	children(id, kind string) []doc     // interviews, feedback, offers, resumes, files
	list(kind string) []doc             // postings, stages, archive_reasons, users, tags, eeo
	form(postingID string) (doc, error) // as /postings/:id/apply
}

// toDoc decodes JSON.
func toDoc(b []byte) doc {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v doc
	if err := d.Decode(&v); err != nil {
		return doc{}
	}
	return v
}

func toDocs[T any](items []T) []doc {
	out := make([]doc, 0, len(items))
	for _, v := range items {
		b, err := json.Marshal(v)
		if err == nil {
			out = append(out, toDoc(b))
		}
	}
	return out
}

// generated is the account that the server makes up.
type generated struct{ *Server }

func (g generated) hidden(o *opportunity) bool {
	return o == nil || o.confidential && !g.access.confidential.Load()
}

func (g generated) opportunities() iter.Seq[doc] {
	g.mu.RLock()
	rows := slices.Clone(g.index.rows)
	g.mu.RUnlock()
	return func(yield func(doc) bool) {
		for _, r := range rows {
			if d := g.number(int(r.n)); d != nil && !yield(d) {
				return
			}
		}
	}
}

func (g generated) ids() iter.Seq[string] {
	g.mu.RLock()
	rows := slices.Clone(g.index.rows)
	g.mu.RUnlock()
	all := g.access.confidential.Load()
	return func(yield func(string) bool) {
		for _, r := range rows {
			g.mu.RLock()
			there := !r.changed || g.overlay[int(r.n)] != nil
			if there && !all {
				there = !g.coreOf(r).confidential
			}
			g.mu.RUnlock()
			if there && !yield(g.gen.id(kindOpportunity, int(r.n), 0)) {
				return
			}
		}
	}
}

func (g generated) number(n int) doc {
	g.mu.RLock()
	defer g.mu.RUnlock()
	o := g.get(n)
	if g.hidden(o) {
		return nil
	}
	return toDoc(g.appendOpportunity(nil, o, expansion{applications: true}, false))
}

func (g generated) opportunity(id string) doc {
	n, ok := g.gen.number(kindOpportunity, id)
	if !ok {
		return nil
	}
	return g.number(n)
}

func (g generated) children(id, kind string) []doc {
	g.mu.RLock()
	defer g.mu.RUnlock()
	o := g.byID(id)
	if g.hidden(o) {
		return nil
	}
	c := g.childrenOf(o)
	switch kind {
	case "interviews":
		return toDocs(c.interviews)
	case "feedback":
		return toDocs(c.feedback)
	case "offers":
		return toDocs(c.offers)
	case "resumes":
		return toDocs(c.resumes)
	}
	return toDocs(c.files)
}

func (g generated) list(kind string) []doc {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := g.access.confidential.Load()
	switch kind {
	case "postings":
		return toDocs(slices.DeleteFunc(slices.Clone(g.cat.postings), func(p posting) bool {
			return p.gone || p.Confidentiality == "confidential" && !all
		}))
	case "stages":
		return toDocs(g.liveStages())
	case "archive_reasons":
		return toDocs(slices.DeleteFunc(slices.Clone(g.cat.reasons), func(v reason) bool { return v.gone }))
	case "users":
		return toDocs(slices.DeleteFunc(slices.Clone(g.cat.users), func(u user) bool { return u.gone }))
	case "tags":
		out := make([]tag, len(g.cat.tags))
		for i, t := range g.cat.tags {
			out[i].Text = t
		}
		return toDocs(out)
	}
	var rows []doc
	for row := range g.eeoRows(g.next-1, all) {
		rows = append(rows, toDocs([]map[string]any{row})...)
	}
	return rows
}

func (g generated) form(postingID string) (doc, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n, ok := g.gen.number(kindPosting, postingID)
	if !ok || n >= len(g.cat.postings) || g.cat.postings[n].gone {
		return nil, ErrNoSuch
	}
	return toDocs([]map[string]any{g.cat.postings[n].form()})[0], nil
}
