package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// pen is a writer whose calls pass through a transport that can fail, and a plain client that sees what Lever has.
type pen struct {
	*env
	writer *worker.Writer
	wire   *wire
	plain  *lever.Client
	user   string
	jobs   []string
	skew   atomic.Int64 // of Lever's clock, in ns
}

// wire is a transport that interrupts calls.
type wire struct {
	mu   sync.Mutex
	trip func(*http.Request) (*http.Response, error) // nil: as usual
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	trip := w.trip
	w.mu.Unlock()
	if trip != nil {
		return trip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *wire) set(trip func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	w.trip = trip
	w.mu.Unlock()
}

func newPen(t *testing.T, cfg worker.WriterConfig) *pen {
	t.Helper()
	p := &pen{wire: &wire{}}
	p.env = newEnv(t, levertest.Config{Seed: 50, Opportunities: 60, RatePerSecond: -1, Confidential: true,
		Now: func() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }}, fast)
	w := worker.New(worker.Config{Store: p.db.Store, Redis: p.rdb, LeverURL: p.url, Log: p.log, RateLimit: fast, Transport: p.wire})
	p.writer = worker.NewWriter(w, cfg)
	var err error
	if p.plain, err = lever.New(lever.Config{BaseURL: p.url, Auth: lever.APIKey("test-key")}); err != nil {
		t.Fatal(err)
	}
	p.user, p.jobs = p.lever.Records("users")[0], p.lever.Records("postings")
	return p
}

// ask is a request to write, as the API would make it.
func (p *pen) ask(key string) store.NewWrite {
	return store.NewWrite{Connector: p.conn.ID, Key: key, Fingerprint: []byte(key)}
}

// write asks for a candidate once. crashed is whether the process "died" on the way.
func (p *pen) write(key string, o lever.NewOpportunity) (reply json.RawMessage, crashed bool, err error) {
	return p.guarded(key, func() (json.RawMessage, error) {
		return p.writer.CreateCandidate(p.t.Context(), p.ask(key), p.user, o, lever.CreateOptions{})
	})
}

// guarded runs write; where it "dies", its claim runs out.
func (p *pen) guarded(key string, write func() (json.RawMessage, error)) (reply json.RawMessage, crashed bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			if v != errCrash {
				panic(v)
			}
			crashed = true
			p.db.Exec(`UPDATE outbox SET claimed_until = now() - interval '1 ms' WHERE key = $1 AND claimed_until IS NOT NULL`, key)
		}
	}()
	reply, err = write()
	return reply, false, err
}

// errCrash is what the wire panics with where the process is to die.
var errCrash = errors.New("crash")

// insist asks until there is a reply, as a client does that retries with the same key.
func (p *pen) insist(key string, o lever.NewOpportunity) json.RawMessage {
	p.t.Helper()
	for range 50 {
		reply, crashed, err := p.write(key, o)
		if err == nil && !crashed {
			return reply
		}
		if u, ok := errors.AsType[*store.UnsettledError](err); ok && u.RetryAfter > 5*time.Second {
			p.t.Fatalf("%s: %v, retry after %s", key, err, u.RetryAfter)
		}
	}
	p.t.Fatalf("%s: no reply after 50 tries", key)
	return nil
}

// made are the opportunities that Lever has for a person.
func (p *pen) made(o lever.NewOpportunity) []lever.Opportunity {
	p.t.Helper()
	var out []lever.Opportunity
	opts := lever.OpportunityOptions{Confidentiality: "all", ExpandApplications: true, CreatedSince: time.Now().Add(-time.Hour)}
	if len(o.Emails) > 0 {
		opts.Email = o.Emails[0]
	}
	for page, err := range p.plain.Opportunities(p.t.Context(), opts) {
		if err != nil {
			p.t.Fatal(err)
		}
		for _, it := range page.Items {
			if len(o.Emails) > 0 || it.Value.Name == o.Name {
				out = append(out, it.Value)
			}
		}
	}
	return out
}

func person(n int, job string) lever.NewOpportunity {
	o := lever.NewOpportunity{
		Name: fmt.Sprintf("Ada Example%d", n), Emails: []string{fmt.Sprintf("Ada%d@new.example.com", n)}, Phones: []lever.NewPhone{{Value: fmt.Sprint("+1 555 ", n)}},
		Links: []string{fmt.Sprintf("https://ada%d.example.com", n)}, Stage: "applicant-new", Postings: []string{job},
	}
	switch n % 5 {
	case 3:
		o.Emails = nil // known again by the rest
	case 4:
		o.Postings = nil // a lead
	}
	return o
}

func TestACandidateIsReadableAtOnce(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	reply, _, err := p.write("k1", person(1, p.jobs[0]))
	if err != nil {
		t.Fatalf("CreateCandidate: %v", err)
	}
	var got struct {
		ID           uuid.UUID   `json:"id"`
		RemoteID     string      `json:"remote_id"`
		FirstName    string      `json:"first_name"`
		Emails       []string    `json:"email_addresses"`
		Applications []uuid.UUID `json:"applications"`
	}
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatalf("reply %s: %v", reply, err)
	}
	made := p.made(person(1, p.jobs[0]))
	if len(made) != 1 {
		t.Fatalf("Lever has %d opportunities; want 1", len(made))
	}
	if want := unified.ID(p.conn.ID, unified.Candidates, string(made[0].Contact)); got.ID != want || got.RemoteID != string(made[0].Contact) || got.FirstName != "Ada" {
		t.Errorf("reply = %s; want candidate %s, Ada", reply, want)
	}
	if want := unified.ID(p.conn.ID, unified.Applications, made[0].ID); len(got.Applications) != 1 || got.Applications[0] != want {
		t.Errorf("applications = %v; want %s", got.Applications, want)
	}
	if n := len(p.records(unified.Candidates)); n != 1 {
		t.Errorf("%d candidates stored; want 1", n)
	}
	if n := storetest.Value[int](p.db, `SELECT count(*) FROM calls WHERE stream = 'writes' AND run_id IS NULL AND scope = 'candidates'`); n != 2 {
		t.Errorf("%d calls logged; want the POST and the GET", n)
	}
	p.start(worker.Config{RateLimit: fast})
	p.sync(false)
	p.check() // a sync agrees with what was written
}

func isPost(r *http.Request) bool { return r.Method == http.MethodPost }
func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Count(r.URL.Path, "/") == 3
}

// firstTime makes a transport whose first matching call goes wrong.
func firstTime(match func(*http.Request) bool, wrong func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	var done atomic.Bool
	return func(r *http.Request) (*http.Response, error) {
		if match(r) && done.CompareAndSwap(false, true) {
			return wrong(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	}
}

// carryOut sends the call, and drops the answer.
func carryOut(r *http.Request) {
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
	}
}

// wrongs are the ways in which a write is interrupted.
var wrongs = []struct {
	name  string
	match func(*http.Request) bool
	wrong func(*http.Request) (*http.Response, error)
}{
	{"dies before it sends", isPost, func(*http.Request) (*http.Response, error) { panic(errCrash) }},
	{"dies after it sent", isPost, func(r *http.Request) (*http.Response, error) { carryOut(r); panic(errCrash) }},
	{"dies before it reads back", isRead, func(*http.Request) (*http.Response, error) { panic(errCrash) }},
	{"dies before it commits", isRead, func(r *http.Request) (*http.Response, error) { carryOut(r); panic(errCrash) }},
	{"cannot read back", isRead, func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }},
}

// faults are those that Lever itself has.
var faults = []levertest.Fault{
	{Kind: levertest.FaultReset},
	{Kind: levertest.FaultTruncate},
	{Kind: levertest.FaultCutJSON},
	{Kind: levertest.FaultInvalidJSON},
	{Kind: levertest.FaultHTML},
	{Kind: levertest.FaultStatus, Status: 500},
	{Kind: levertest.FaultStatus, Status: 503},
	{Kind: levertest.FaultStatus, Status: 408},
	{Kind: levertest.FaultStatus, Status: 429},
}

// TestInterruptedWritesMakeNoDuplicates: 100 writes, each interrupted once in one of the ways there are, by a
// client that asks again with the same key, and then once more because its answer was lost.
func TestInterruptedWritesMakeNoDuplicates(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	for n := range 100 {
		o, key, name := person(n, p.jobs[n%len(p.jobs)]), fmt.Sprint("key-", n), ""
		p.skew.Store(int64(n%3-1) * int64(5*time.Minute)) // Lever's clock is off
		if i := n % (len(wrongs) + len(faults)); i < len(wrongs) {
			name = wrongs[i].name
			p.wire.set(firstTime(wrongs[i].match, wrongs[i].wrong))
		} else {
			f := faults[i-len(wrongs)]
			f.Match, f.Times = "^POST /opportunities$", 1
			name = fmt.Sprintf("%s %d", f.Kind, f.Status)
			if _, err := p.lever.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
		first := p.insist(key, o)
		p.wire.set(nil)
		if again, _, err := p.write(key, o); err != nil || string(again) != string(first) {
			t.Errorf("%s (%s): asked again = %s, %v; want the same reply, %s", key, name, again, err, first)
		}
		if made := p.made(o); len(made) != 1 {
			t.Errorf("%s (%s): Lever has %d opportunities; want 1", key, name, len(made))
		}
	}
	ledger.add("write interrupted", tally{tried: 100, survived: 100, failed: t.Failed()})
	if n := storetest.Value[int](p.db, `SELECT count(*) FROM outbox WHERE state = 'confirmed'`); n != 100 {
		t.Errorf("%d writes confirmed; want 100", n)
	}
}

// TestALateWriteIsNotSentAgain: a call that timed out here, and arrives there later.
func TestALateWriteIsNotSentAgain(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Hour})
	o := person(1, p.jobs[0])
	arrive, arrived := make(chan struct{}), make(chan struct{})
	p.wire.set(firstTime(isPost, func(r *http.Request) (*http.Response, error) {
		body := r.Clone(context.Background())
		body.Body, _ = r.GetBody()
		go func() {
			defer close(arrived)
			<-arrive
			carryOut(body)
		}()
		trace(r)
		return nil, context.DeadlineExceeded
	}))
	for i := range 3 {
		_, _, err := p.write("k", o)
		if u, ok := errors.AsType[*store.UnsettledError](err); !ok || u.Made || u.RetryAfter < time.Minute {
			t.Fatalf("try %d: %v; want it unsettled for about an hour", i+1, err)
		}
	}
	if made := p.made(o); len(made) != 0 {
		t.Fatalf("Lever has %d opportunities before the call arrives; want none", len(made))
	}
	close(arrive)
	<-arrived
	if _, _, err := p.write("k", o); err != nil {
		t.Errorf("after it arrived: %v; want the candidate", err)
	}
	if made := p.made(o); len(made) != 1 {
		t.Errorf("Lever has %d opportunities; want 1", len(made))
	}
}

func TestAtMostOneOfManyWrites(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	o := person(1, p.jobs[0])
	var wg sync.WaitGroup
	var mu sync.Mutex
	replies := map[string]int{}
	for range 8 {
		wg.Go(func() {
			for {
				reply, _, err := p.write("k", o)
				if errors.Is(err, store.ErrWriteRunning) {
					select { // a client that polls
					case <-t.Context().Done():
						return
					case <-time.After(time.Millisecond):
					}
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("write: %v; want a reply", err)
				}
				replies[string(reply)]++
				return
			}
		})
	}
	wg.Wait()
	if len(replies) != 1 {
		t.Errorf("%d different replies to one key; want 1", len(replies))
	}
	if made := p.made(o); len(made) != 1 {
		t.Errorf("Lever has %d opportunities; want 1", len(made))
	}
	if _, err := p.writer.CreateCandidate(t.Context(), store.NewWrite{Connector: p.conn.ID, Key: "k", Fingerprint: []byte("other")}, p.user, o, lever.CreateOptions{}); !errors.Is(err, store.ErrWriteKeyTaken) {
		t.Errorf("another request under the key: %v; want ErrWriteKeyTaken", err)
	}
}

func TestTwoKeysMakeTwo(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	o := person(1, p.jobs[0])
	p.insist("a", o)
	p.wire.set(firstTime(isPost, wrongs[0].wrong)) // b dies before it sends: a's must not be taken for its own
	p.insist("b", o)
	if made := p.made(o); len(made) != 2 {
		t.Errorf("Lever has %d opportunities; want one for each key", len(made))
	}
}

// TestAnOpportunityForAnotherJobIsNotTaken: somebody else makes one, of the same person, while ours is in doubt.
func TestAnOpportunityForAnotherJobIsNotTaken(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	o := person(1, p.jobs[0])
	p.wire.set(firstTime(isPost, wrongs[0].wrong))
	if _, crashed, err := p.write("k", o); !crashed {
		t.Fatalf("write: %v; want it interrupted", err)
	}
	if _, _, err := p.plain.CreateOpportunity(t.Context(), p.user, person(1, p.jobs[1]), lever.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.insist("k", o)
	jobs := map[string]int{}
	for _, m := range p.made(o) {
		jobs[string(m.Applications[0].Posting)]++
	}
	if len(jobs) != 2 || jobs[p.jobs[0]] != 1 {
		t.Errorf("opportunities by job = %v; want one for each of 2", jobs)
	}
}

func TestRefusedWritesFreeTheirKey(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	o := person(1, "no-such-posting")
	_, _, err := p.write("k", o)
	if bad, ok := errors.AsType[*lever.BadRequestError](err); !ok || bad.Status != 400 {
		t.Fatalf("an unknown posting: %v; want Lever's 400", err)
	}
	in := p.ask("k")
	in.Fingerprint = []byte("mended")
	if _, err := p.writer.CreateCandidate(t.Context(), in, p.user, person(1, p.jobs[0]), lever.CreateOptions{}); err != nil {
		t.Errorf("another request after a refusal: %v; want it taken", err)
	}
	p.lever.Deny("test-key", "opportunities")
	if _, _, err := p.write("k2", person(2, p.jobs[0])); lever.Classify(err) != lever.VerdictForbidden {
		t.Errorf("without the permission: %v; want forbidden", err)
	}
	p.lever.RevokeKey("test-key")
	if _, _, err := p.write("k3", person(2, p.jobs[0])); lever.Classify(err) != lever.VerdictRelink {
		t.Errorf("with a revoked key: %v; want unauthorized", err)
	}
	if _, _, err := p.write("k4", person(2, p.jobs[0])); !errors.Is(err, store.ErrNotLinked) {
		t.Errorf("after that: %v; want ErrNotLinked", err)
	}
}

func TestRecoverSettlesWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	for n, w := range wrongs {
		p.wire.set(firstTime(w.match, w.wrong))
		_, crashed, err := p.write(fmt.Sprint("k", n), person(n, p.jobs[0]))
		if !crashed && err == nil {
			t.Fatalf("%s: it was not interrupted", w.name)
		}
	}
	p.wire.set(nil)
	p.db.Exec(`UPDATE outbox SET look_at = NULL`)
	if n, err := p.writer.Recover(t.Context()); n != len(wrongs) || err != nil {
		t.Errorf("Recover = %d, %v; want %d settled", n, err, len(wrongs))
	}
	for n, w := range wrongs {
		want, state := 1, "confirmed"
		if n == 0 { // nothing was sent
			want, state = 0, "failed"
		}
		if made := p.made(person(n, p.jobs[0])); len(made) != want {
			t.Errorf("%s: Lever has %d opportunities; want %d", w.name, len(made), want)
		}
		if got := storetest.Value[string](p.db, `SELECT state FROM outbox WHERE key = $1`, fmt.Sprint("k", n)); got != state {
			t.Errorf("%s: state = %s; want %s", w.name, got, state)
		}
	}
	if n := len(p.records(unified.Candidates)); n != len(wrongs)-1 {
		t.Errorf("%d candidates stored; want %d", n, len(wrongs)-1)
	}
	p.db.Exec(`UPDATE outbox SET created_at = now() - interval '25 h'`)
	if _, err := p.writer.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Value[int](p.db, `SELECT count(*) FROM outbox`); n != 0 {
		t.Errorf("%d keys kept after a day; want none", n)
	}
}

// trace tells who watches the request that it has a connection: from there on Lever may have seen it.
func trace(r *http.Request) {
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GotConn != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
}
