package worker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// fetched is a page on its way from Lever to Postgres, with the calls that it took.
type fetched[T any] struct {
	page  lever.Page[T]
	calls []store.Call
	err   error
	begun <-chan *begun // brings what of it was written before its turn, once; nil: nothing was to be
}

// begun is a page's transaction that has begun before its turn.
type begun struct {
	tx   *store.Ahead
	rest func(context.Context, *store.Tx) error // what is left to write
}

func (b *begun) drop(ctx context.Context) {
	if b != nil {
		b.tx.Drop(ctx)
	}
}

// writer writes the pages of a list.
type writer[T any] struct {
	apply func(context.Context, *store.Tx, lever.Page[T]) error
	// ahead writes what of a page need not wait for those before it, and returns what writes the rest. nil: it all must wait.
	ahead func(context.Context, *store.Tx, lever.Page[T], busy) (rest func(context.Context, *store.Tx) error, err error)
	// keys are what ahead may write of a page, which it does not where a page before has it too.
	keys func(lever.Page[T]) map[string]bool
	// look marks what of a page is stored as it is. nil: that is found out when it has its turn.
	look func(context.Context, lever.Page[T])
}

// traverse pages through a list: the next page is fetched while this one is written. Each page is one
// transaction: its records (apply), the cursor, the counters and the call. It returns nil at the end of the
// list, with c moved on to phase next; *yield when the slice is over; *lever.LoopError where the list goes in a circle.
func traverse[T interface{ RecordID() string }](ctx context.Context, s *slice, c *cursor, next string, pages iter.Seq2[lever.Page[T], error], w writer[T]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch := read(ctx, s, pages)
	if w.ahead != nil && s.state.LastStartedAt == nil {
		ch = aheadOf(ctx, s, ch, w.keys, func(f fetched[T], busy busy) *begun { return w.begin(ctx, s, f, busy) })
	}
	if w.look != nil {
		ch = meanwhile(ctx, s, ch, w.look)
	}
	defer func() {
		cancel()
		for f := range ch {
			f.drop(ctx, s)
		}
	}()
	for f := range ch {
		if f.err != nil {
			s.rec.put(f.calls)
			return f.err
		}
		s.w.store.Failpoint(store.PointFetched, s.connector.ID, s.stream.name)
		to := *c
		to.Token, to.Page, to.Seen = f.page.Next, c.Page+1, c.Seen+len(f.page.Items)
		var circle int
		if to.trail, circle = c.trail.after(f.page.Next); circle > 0 {
			f.drop(ctx, s)
			return &lever.LoopError{Path: f.page.Call.PathTemplate, Pages: circle}
		}
		if f.page.Next == "" {
			to.Phase = next
		}
		if c.Full {
			if _, proven := met(f.page); !proven {
				to.Unproven = true
			}
		}
		if err := commitPage(ctx, s, f, to, w.apply); err != nil {
			return err
		}
		*c = to
		if f.page.Next == "" {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return &yield{reason: "slice over"}
}

// read hands the pages over, and fetches the next one meanwhile.
func read[T any](ctx context.Context, s *slice, pages iter.Seq2[lever.Page[T], error]) chan fetched[T] {
	out := make(chan fetched[T])
	go func() {
		defer close(out)
		for page, err := range pages {
			f := fetched[T]{page: page, err: err, calls: s.rec.take()}
			if !f.hand(ctx, s, out) || err != nil || s.over() {
				return
			}
		}
	}()
	return out
}

// meanwhile hands pages on. To one that nobody is ready for yet, as the page before is still being written, it does what is given.
func meanwhile[T any](ctx context.Context, s *slice, in <-chan fetched[T], do func(context.Context, lever.Page[T])) chan fetched[T] {
	out := make(chan fetched[T])
	go func() {
		defer close(out)
		for f := range in {
			select {
			case out <- f:
				continue
			default:
			}
			if f.err == nil {
				do(ctx, f.page)
			}
			f.hand(ctx, s, out)
		}
	}()
	return out
}

// earlyPages is how many pages may be written before their turn at once, each by a connection of its own, while one has its
// turn. More would be of use to no machine on which Postgres shares the processors with us, and each takes its room in memory.
const earlyPages = 2

// busy reports whether a page before one, which may be under way still, has one of its keys: what two pages have is written
// in their order. Else the page before could come to wait for the one that waits for its turn.
type busy func(key string) bool

// inTurn is busy of what has its turn: nothing is.
func inTurn(string) bool { return false }

// aheadOf hands pages on in their order, while begin writes what need not wait of them.
func aheadOf[T any](ctx context.Context, s *slice, in <-chan fetched[T], keys func(lever.Page[T]) map[string]bool, begin func(fetched[T], busy) *begun) chan fetched[T] {
	out := make(chan fetched[T], earlyPages-1)
	go func() {
		defer close(out)
		var before []map[string]bool // of the pages that may be under way: one has its turn, the others wait in out
		for f := range in {
			if f.err == nil {
				under := slices.Clone(before)
				to := make(chan *begun, 1)
				f.begun = to
				go func() {
					to <- begin(f, func(key string) bool {
						return slices.ContainsFunc(under, func(keys map[string]bool) bool { return keys[key] })
					})
				}()
				before = append(before, keys(f.page))
				before = before[max(0, len(before)-earlyPages):]
			}
			f.hand(ctx, s, out)
		}
	}()
	return out
}

// await returns what of a page was written before its turn, once all that was to be is; nil: nothing was.
func (f fetched[T]) await() *begun {
	if f.begun == nil {
		return nil
	}
	return <-f.begun
}

// hand gives a page to whoever takes it, and reports whether somebody did before the end.
func (f fetched[T]) hand(ctx context.Context, s *slice, to chan<- fetched[T]) bool {
	select {
	case to <- f:
		return true
	case <-ctx.Done():
		f.drop(ctx, s)
		return false
	}
}

// drop lets go of a page that came too late: its calls were made all the same.
func (f fetched[T]) drop(ctx context.Context, s *slice) {
	f.await().drop(ctx)
	s.rec.put(f.calls)
}

// begin writes what of a page need not wait; nil: nothing was.
func (w writer[T]) begin(ctx context.Context, s *slice, f fetched[T], busy busy) *begun {
	b := &begun{}
	b.tx = s.w.store.Ahead(ctx, s.lease, s.entering(f.calls, func(ctx context.Context, tx *store.Tx) (err error) {
		b.rest, err = w.ahead(ctx, tx, f.page, busy)
		return err
	}))
	if b.tx == nil {
		return nil
	}
	return b
}

// commitPage writes one page and the cursor behind it.
func commitPage[T any](ctx context.Context, s *slice, f fetched[T], to cursor, apply func(context.Context, *store.Tx, lever.Page[T]) error) error {
	ending := func(write func(context.Context, *store.Tx) error) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			n := store.Counts{Bound: 1, Read: int64(len(f.page.Items))}
			for _, it := range f.page.Items {
				n.Sanitized += int64(it.Sanitized)
			}
			tx.Add(n)
			if err := write(ctx, tx); err != nil {
				return err
			}
			tx.SaveCursor(to.encode())
			return nil
		}
	}
	whole := ending(func(ctx context.Context, tx *store.Tx) error { return apply(ctx, tx, f.page) })
	var err error
	if b := f.await(); b == nil {
		err = s.commit(ctx, f.calls, whole)
	} else {
		err = s.commitOf(ctx, f.calls, func(ctx context.Context) (store.Counts, error) {
			return b.tx.Commit(ctx, ending(b.rest), s.entering(f.calls, whole))
		})
	}
	if err == nil {
		s.w.metrics.Pages.Add(1)
	}
	return err
}

// identity is a record's remote id, read from its bytes where it could not be decoded; "" if it has none, or
// one with U+0000, which Postgres takes for no text. It is trimmed, as mapping does: the text of a tag is its id.
func identity[T interface{ RecordID() string }](it lever.Item[T]) string {
	if it.Err == nil {
		return strings.TrimSpace(it.Value.RecordID())
	}
	var o struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	_ = json.Unmarshal(it.Raw, &o)
	if o.ID == "" {
		o.ID = o.Text
	}
	if strings.ContainsRune(o.ID, 0) {
		return ""
	}
	return strings.TrimSpace(o.ID)
}

// rejected describes an item for the quarantine.
func rejected[T interface{ RecordID() string }](sc unified.Scope, parent string, it lever.Item[T], err error) store.Rejected {
	key := identity(it)
	if key == "" {
		key = hex.EncodeToString(store.HashRaw(it.Raw))
	}
	return store.Rejected{Scope: sc, Key: key, Parent: parent, Reason: err.Error(), Raw: it.Raw}
}

// met are the ids of a page's records; proven is false when one has none.
func met[T interface{ RecordID() string }](page lever.Page[T]) (ids []string, proven bool) {
	proven = true
	for _, it := range page.Items {
		id := identity(it)
		if id == "" {
			proven = false
			continue
		}
		ids = append(ids, id)
	}
	return ids, proven
}
