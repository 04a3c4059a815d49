package worker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// apiProcess is `leversync api`, as it is shipped, in a process of its own.
type apiProcess struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	done chan struct{} // closed once it has ended
}

// startAPI starts one and returns once it listens. It is killed when the test ends.
func (e *env) startAPI(program string) *apiProcess {
	e.t.Helper()
	a := &apiProcess{t: e.t, cmd: exec.Command(program, "api"), done: make(chan struct{})}
	a.cmd.Env = append(os.Environ(), "DATABASE_URL="+e.db.URL, "REDIS_URL="+e.redis.URL, "LEVER_API_URL="+e.url, "LEVERSYNC_ENCRYPTION_KEY="+storetest.EncryptionKey,
		"LEVERSYNC_ADDR=127.0.0.1:0", "LEVERSYNC_DAILY_CANDIDATES=100000", "LEVERSYNC_DB_CONNS=4")
	log, err := a.cmd.StderrPipe()
	if err = errors.Join(err, a.cmd.Start()); err != nil {
		e.t.Fatal(err)
	}
	listening, said := make(chan string, 1), ""
	go func() {
		defer close(a.done)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if _, addr, ok := strings.Cut(lines.Text(), "msg=listening addr="); ok {
				addr, _, _ = strings.Cut(addr, " ")
				listening <- addr
			}
			said = lines.Text()
		}
		_ = a.cmd.Wait()
	}()
	e.t.Cleanup(a.kill)
	select {
	case addr := <-listening:
		a.url = "http://" + addr
	case <-a.done:
		e.t.Fatalf("leversync api ended at once: %s", said)
	case <-time.After(childTimeout):
		e.t.Fatalf("leversync api does not listen after %s", childTimeout)
	}
	return a
}

func (a *apiProcess) kill() {
	_ = a.cmd.Process.Kill() // it may have ended
	<-a.done
}

func (a *apiProcess) signal(s syscall.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil {
		a.t.Errorf("%v to leversync api: %v", s, err)
	}
}

// shop are clients of the API that read, and write candidates, each until it has an answer.
type shop struct {
	*pen
	key, token string
	urls       atomic.Pointer[[]string] // of the processes that there are
	begun      atomic.Int64             // requests to write
	whole      atomic.Int64             // answers that came to their end
	over       atomic.Bool

	mu      sync.Mutex
	replies map[int]string // by person
	faults  []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{pen: newPen(t, worker.WriterConfig{}), replies: map[int]string{}}
	s.start(worker.Config{})
	s.wait(time.Now())
	var err1, err2 error
	_, s.key, err1 = s.db.Store.CreateAPIKey(t.Context(), "shop")
	s.token, err2 = s.db.Store.RegenerateConnectorToken(t.Context(), s.conn.ID)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lever.Inject(levertest.Fault{Match: `^(POST|GET) /opportunities`, Kind: levertest.FaultLatency, Delay: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	return s
}

// ask makes one request to one of the processes. Its error means that no whole answer came.
func (s *shop) ask(client *http.Client, rng *rand.Rand, method, path, body string, headers ...string) (int, string, error) {
	urls := *s.urls.Load()
	req, err := http.NewRequestWithContext(context.Background(), method, urls[rng.IntN(len(urls))]+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	headers = append([]string{"Authorization", "Bearer " + s.key, "X-Connector-Token", s.token, "Content-Type", "application/json"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", err
	}
	s.whole.Add(1)
	if !json.Valid(b) {
		s.fault("%s %s: %d with half an answer that looks like a whole one: %.80q", method, path, resp.StatusCode, b)
	}
	return resp.StatusCode, string(b), nil
}

func (s *shop) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// open runs so many clients that write, and one that reads, until close is called, which waits for their last answers.
func (s *shop) open(clients int, seed uint64) (close func()) {
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	for c := range clients {
		wg.Go(func() {
			client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for n := c; !s.over.Load() && ctx.Err() == nil; n += clients {
				s.hand(ctx, client, rng, n)
			}
		})
	}
	wg.Go(func() {
		client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		rng := rand.New(rand.NewPCG(seed, 1<<32))
		for !s.over.Load() && ctx.Err() == nil {
			if status, body, err := s.ask(client, rng, http.MethodGet, "/api/ats/v1/candidates?page_size=100", ""); err == nil && status != http.StatusTooManyRequests && (status != http.StatusOK || !strings.Contains(body, `"items":[{`)) {
				s.fault("GET: %d %.80q, want a page", status, body)
			}
			pause(ctx, 200*time.Millisecond)
		}
	})
	return func() { s.over.Store(true); wg.Wait(); cancel() }
}

// pause waits before a client asks again, as a client does.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// hand writes a person, with the same key until there is an answer, and asks once more: the answer is the same.
func (s *shop) hand(ctx context.Context, client *http.Client, rng *rand.Rand, n int) {
	body := fmt.Sprintf(`{"data": {"first_name": "Ada", "last_name": "Example%d", "email_addresses": ["shop%d@new.example.com"], "job_id": %q}, "remote_user": %q}`,
		n, n, unified.ID(s.conn.ID, unified.Jobs, s.jobs[n%len(s.jobs)]), unified.ID(s.conn.ID, unified.RemoteUsers, s.user))
	first := ""
	for first == "" || !s.over.Load() {
		s.begun.Add(1)
		status, reply, err := s.ask(client, rng, http.MethodPost, "/api/ats/v1/candidates", body, "X-Idempotency-Key", fmt.Sprint("shop ", n))
		switch {
		case ctx.Err() != nil:
			s.fault("person %d: no answer: %d %.200s %v", n, status, reply, err)
			return
		case err != nil || status == http.StatusConflict || status == http.StatusTooManyRequests || status >= 500: // not settled yet
			pause(ctx, 200*time.Millisecond)
		case status != http.StatusOK:
			s.fault("person %d: %d %.200s", n, status, reply)
			return
		case first == "":
			first = reply
		default:
			if reply != first {
				s.fault("person %d: answered %.80q, and then %.80q", n, first, reply)
			}
			s.keep(n, first)
			return
		}
	}
	s.keep(n, first)
}

func (s *shop) keep(n int, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[n] = reply
}

// settleSooner makes it so much later for the writes of a process that has died.
func (s *shop) settleSooner() {
	s.t.Helper()
	s.db.Exec(`UPDATE outbox SET claimed_until = claimed_until - interval '5 minutes', sent_at = sent_at - interval '5 minutes',
    first_sent_at = first_sent_at - interval '5 minutes', look_at = look_at - interval '5 minutes'`)
}

// books demands that Lever has each person once, and that what was read and answered was whole.
func (s *shop) books() (people, lost, duplicated int) {
	s.t.Helper()
	for _, f := range s.faults {
		s.t.Error(f)
	}
	for n, reply := range s.replies {
		made := len(s.made(lever.NewOpportunity{Emails: []string{fmt.Sprintf("shop%d@new.example.com", n)}}))
		if made != 1 {
			s.t.Errorf("person %d: Lever has it %d times, want once; the answer was %.80q", n, made, reply)
		}
		lost, duplicated = lost+max(0, 1-made), duplicated+max(0, made-1)
	}
	return len(s.replies), lost, duplicated
}

// TestAKilledAPIWritesOnce: the process that serves the API alone dies by kill -9 again and again while clients read, and
// write candidates. Each person is in Lever once, each key has one answer, and no half answer looks like a whole one.
func TestAKilledAPIWritesOnce(t *testing.T) {
	t.Parallel()
	kills := amount(3, 100)
	program, rng := buildServe(t), random(t)
	s := newShop(t)
	a := s.startAPI(program)
	s.urls.Store(&[]string{a.url})
	closed := s.open(4, rng.Uint64())
	defer closed()
	for range kills {
		next := s.begun.Load() + 1 + rng.Int64N(12)
		s.until("clients have asked", time.Minute, func() bool { return s.begun.Load() >= next })
		a.kill()
		s.settleSooner()
		a = s.startAPI(program)
		s.urls.Store(&[]string{a.url})
	}
	closed()
	people, lost, duplicated := s.books()
	ledger.add("leversync api killed", tally{tried: kills, survived: kills, lost: lost, duplicated: duplicated, failed: t.Failed(),
		note: fmt.Sprintf("%d candidates written, %d whole answers", people, s.whole.Load())})
	t.Logf("%d kills, %d candidates written with %d requests, %d whole answers", kills, people, s.begun.Load(), s.whole.Load())
}

// TestAFrozenAPIWritesOnce: of two processes that serve the API one is frozen, with writes on their way, and goes on
// later; clients that gave it up ask the other.
func TestAFrozenAPIWritesOnce(t *testing.T) {
	t.Parallel()
	stops := amount(1, 20)
	program, rng := buildServe(t), random(t)
	s := newShop(t)
	a, b := s.startAPI(program), s.startAPI(program)
	s.urls.Store(&[]string{a.url, b.url})
	closed := s.open(4, rng.Uint64())
	defer closed()
	for n := range stops {
		frozen, other := a, b
		if n%2 == 1 {
			frozen, other = b, a
		}
		next := s.begun.Load() + 1 + rng.Int64N(8)
		s.until("clients have asked", time.Minute, func() bool { return s.begun.Load() >= next })
		frozen.signal(syscall.SIGSTOP)
		s.urls.Store(&[]string{other.url})
		next = s.begun.Load() + 4
		s.until("clients have asked the other", time.Minute, func() bool { return s.begun.Load() >= next })
		frozen.signal(syscall.SIGCONT)
		s.urls.Store(&[]string{a.url, b.url})
	}
	done := make(chan struct{})
	go func() { closed(); close(done) }()
	s.until("each client has its answer", 2*time.Minute, func() bool {
		// Of what nobody works on, and was sent some seconds ago, it is so much later: a client that hung up has left it unknown.
		s.db.Exec(`UPDATE outbox SET sent_at = sent_at - interval '5 minutes', look_at = look_at - interval '5 minutes' WHERE state = 'unknown' AND claimed_until IS NULL AND sent_at < now() - interval '3 s'`)
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	people, lost, duplicated := s.books()
	ledger.add("leversync api frozen", tally{tried: stops, survived: stops, lost: lost, duplicated: duplicated, failed: t.Failed(),
		note: fmt.Sprintf("%d candidates written, %d whole answers", people, s.whole.Load())})
	t.Logf("%d stops, %d candidates written with %d requests", stops, people, s.begun.Load())
}
