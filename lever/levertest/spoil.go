package levertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// spoil sends a held answer, changed as the faults say.
func (f *faults) spoil(c *call, r *http.Request, h *heldAnswer, hit []Fault) {
	var drip, truncate *Fault
	for i := range hit {
		switch v := &hit[i]; v.Kind {
		case FaultDrip:
			drip = v
		case FaultTruncate:
			truncate = v
		case FaultCutJSON:
			h.body = h.body[:len(h.body)/2]
		case FaultInvalidJSON:
			h.body = append([]byte(`{"data":[{"id":,`), h.body...)
		case FaultDuplicate, FaultLoop, FaultCircle, FaultPoison:
			if h.status == http.StatusOK {
				h.body = f.spoilPage(c.template, r.URL.Query(), h.body, *v)
			}
		}
	}
	c.Header().Set("Content-Length", strconv.Itoa(len(h.body)))
	c.WriteHeader(h.status)
	switch {
	case truncate != nil:
		_, _ = c.Write(h.body[:len(h.body)/2])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		hangUp(c)
	case drip != nil:
		for piece := range bytesIn(h.body, 64) {
			if !pause(r.Context(), drip.Delay) {
				return
			}
			_, _ = c.Write(piece)
			_ = http.NewResponseController(c.ResponseWriter).Flush()
		}
	default:
		_, _ = c.Write(h.body)
	}
}

// bytesIn yields b in n pieces.
func bytesIn(b []byte, n int) func(func([]byte) bool) {
	size := max(1, (len(b)+n-1)/n)
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(size, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// spoilPage changes the records or the continuation of a page; what is no page stays as it is.
func (f *faults) spoilPage(template string, q url.Values, body []byte, v Fault) []byte {
	offset := q.Get("offset")
	var page struct {
		Data    []json.RawMessage `json:"data"`
		HasNext bool              `json:"hasNext"`
		Next    string            `json:"next,omitempty"`
	}
	if json.Unmarshal(body, &page) != nil || page.Data == nil {
		return body
	}
	switch v.Kind {
	case FaultLoop:
		if offset != "" {
			page.HasNext, page.Next = true, offset
		}
	case FaultCircle:
		if second := f.circle(template+" "+q.Get("created_at_start"), offset, v.Pages); second != "" {
			page.HasNext, page.Next = true, second
		}
	case FaultDuplicate:
		f.mu.Lock()
		if f.rows == nil {
			f.rows = map[string][]byte{}
		}
		before := f.rows[template]
		if n := len(page.Data); n > 0 {
			f.rows[template] = bytes.Clone(page.Data[n-1])
			page.Data = append(page.Data, page.Data[0])
		}
		f.mu.Unlock()
		if offset != "" && before != nil {
			page.Data = append([]json.RawMessage{before}, page.Data...)
		}
	case FaultPoison:
		for i, record := range page.Data {
			if v.Record == "" || recordID(record) == v.Record {
				page.Data[i] = poison(record, v)
				break
			}
		}
	}
	out, err := marshal(page)
	if err != nil {
		return body
	}
	return out
}

// circle notes that a list was asked for at a page token, and returns that of its second page where it is to go on there.
func (f *faults) circle(list, offset string, pages int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trails == nil {
		f.trails = map[string][]string{}
	}
	if offset == "" {
		f.trails[list] = nil
	}
	if !slices.Contains(f.trails[list], offset) {
		f.trails[list] = append(f.trails[list], offset)
	}
	if t := f.trails[list]; len(t) > pages && t[pages] == offset {
		return t[1]
	}
	return ""
}

func recordID(record []byte) string {
	var o struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(record, &o)
	return o.ID
}

// poison spoils one field of a record.
func poison(record []byte, v Fault) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(record, &m) != nil {
		return record
	}
	field, value := "headline", ""
	switch v.Poison {
	case PoisonNUL:
		value = `"with \u0000 inside"`
	case PoisonSurrogate:
		value = `"half \ud83d pair"`
	case PoisonNumber:
		field, value = "snoozedUntil", "1e200000"
	default:
		field, value = "createdAt", `{"wrong":["type"]}`
	}
	if v.Field != "" {
		field = v.Field
	}
	m[field] = json.RawMessage(value)
	out, err := marshal(m)
	if err != nil {
		return record
	}
	return out
}
