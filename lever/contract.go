package lever

import (
	"encoding/json"
	"time"
)

// Page is at most 100 records of a list, and where the next ones are.
type Page[T any] struct {
	Items []Item[T]
	Next  string // the page token of the next page; "" is the end
	Token string // the token this page was fetched with; "" is the first page
	Call  Call   // the call that fetched it
}

// Item is one record of a page. One that cannot be decoded has Err set, and the rest of the page stands.
type Item[T any] struct {
	Value     T
	Raw       json.RawMessage // Lever's own bytes, sanitised: always storable as jsonb when Err is nil
	Sanitized int             // how many places the sanitiser had to clean
	Err       error           // why Value is not to be used; never holds values of the record
}

// Call is everything known of one HTTP call to Lever, for the sync log. It holds no secret and no
// personal data: the path is a template, query values are redacted unless they are known to be harmless.
type Call struct {
	Method       string        // GET
	PathTemplate string        // /opportunities/:id/offers
	Query        string        // redacted
	Status       int           // 0: no answer came
	StartedAt    time.Time     // UTC
	Duration     time.Duration // from sending to the last byte
	Wait         time.Duration // for the budget, before it
	Bytes        int64         // of the decoded body
	Records      int
	Err          string // "" on success; no personal data
}

// Lane is the priority of a call within a connector's budget; lower goes first.
type Lane int

// The lanes, first to last.
const (
	LaneWrite Lane = iota
	LaneWebhook
	LaneIncremental
	LaneBackfill
	LaneSweep
)
