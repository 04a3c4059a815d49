package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// BenchmarkList reads pages of 50 candidates, with their applications and attachments, from 16 clients at once, from
// all over a list of 100,000, or of LEVERSYNC_TEST_CANDIDATES. Beside the time that half, and that 99 of 100 requests
// take at most, it reports the rate, and its ratio to that of a bare handler, which runs the page's query on a pool
// of the same size and writes as many bytes. An operation is a round of 400 requests to each of the two, in turns.
func BenchmarkList(b *testing.B) {
	n := 100_000
	if s := os.Getenv("LEVERSYNC_TEST_CANDIDATES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	db := storetest.New(b)
	c, token, err := db.Store.CreateConnector(b.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k", Scopes: unified.Scopes})
	if err != nil {
		b.Fatal(err)
	}
	fillCandidates(db, c.ID, n)
	ours, list := benchAPI(b, db, c.ID, token, n)
	bare := bareHandler(b, db.URL, c.ID, ours, list)

	const clients, round = 16, 400
	run(b, ours, list, clients, 2*round) // caches warm, statements prepared
	run(b, bare, list, clients, 2*round)
	var took []time.Duration
	var spent, bareSpent time.Duration
	for b.Loop() {
		d, each := run(b, ours, list, clients, round)
		took, spent = append(took, each...), spent+d
		d, _ = run(b, bare, list, clients, round)
		bareSpent += d
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(len(took))/spent.Seconds(), "req/s")
	b.ReportMetric(float64(len(took))/bareSpent.Seconds(), "bare-req/s")
	b.ReportMetric(bareSpent.Seconds()/spent.Seconds(), "of-bare")
}

// fillCandidates gives a connector n candidates, each with an application and a file.
func fillCandidates(db *storetest.DB, connector uuid.UUID, n int) {
	db.Exec(`INSERT INTO candidates (connector_id, id, remote_id, body_hash, modified_at, first_name, last_name, title, email_addresses, phone_numbers, locations, urls, tags, remote_created_at)
SELECT $1, md5('c' || i)::uuid, 'c' || i, '\x00', '2026-01-01'::timestamptz + i * interval '1 s', 'Ada', 'Lovelace ' || i, 'Engineer', ARRAY['p' || i || '@example.com'],
    ARRAY['+33123456789'], ARRAY['Paris'], '[{"value": "https://example.com/x", "url_type": "OTHER"}]', ARRAY['a', 'b'], now() FROM generate_series(1, $2::int) i`, connector, n)
	db.Exec(`INSERT INTO applications (connector_id, id, remote_id, body_hash, candidate) SELECT $1, md5('a' || i)::uuid, 'a' || i, '\x00', md5('c' || i)::uuid FROM generate_series(1, $2::int) i`, connector, n)
	db.Exec(`INSERT INTO attachments (connector_id, id, remote_id, body_hash, candidate, source) SELECT $1, md5('f' || i)::uuid, 'f' || i, '\x00', md5('c' || i)::uuid, 'files' FROM generate_series(1, $2::int) i`, connector, n)
	db.Exec("VACUUM ANALYZE candidates, applications, attachments")
}

// place is a page of the list: its request, and where it begins.
type place struct {
	req *http.Request
	at  store.Position
}

// benchAPI is an API and a hundred pages all over the list of n candidates.
func benchAPI(b *testing.B, db *storetest.DB, connector uuid.UUID, token string, n int) (http.Handler, []place) {
	_, key, err := db.Store.CreateAPIKey(b.Context(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	opt, err := redis.ParseURL(storetest.RedisURL(b))
	if err != nil {
		b.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	b.Cleanup(func() { _ = rdb.Close() })
	h, err := New(Config{Store: db.Store, Redis: rdb, Queue: task.NewQueue(rdb), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), PublicURL: "https://sync.example.com", RateLimitPerMinute: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var list []place
	for i := 1; i < 100; i++ {
		at := store.Position{At: time.Date(2026, 1, 1, 0, 0, i*n/100, 0, time.UTC)}
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, ats+"candidates?cursor="+db.Store.Cursor(connector.String()+" candidates", at), nil)
		if err != nil {
			b.Fatal(err)
		}
		req.RemoteAddr = "192.0.2.1:1234"
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("X-Connector-Token", token)
		list = append(list, place{req, at})
	}
	return h, list
}

// bareHandler answers a page by its query alone, and by bytes that it has.
func bareHandler(b *testing.B, url string, connector uuid.UUID, ours http.Handler, list []place) http.Handler {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	pc.MaxConns = storetest.MaxConns
	pc.ConnConfig.RuntimeParams["search_path"] = "leversync"
	pool, err := pgxpool.NewWithConfig(b.Context(), pc)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	byURL := map[string]place{}
	for _, p := range list {
		byURL[p.req.URL.RawQuery] = p
	}
	w := &writer{header: http.Header{}, keep: true}
	ours.ServeHTTP(w, list[0].req)
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		at := byURL[req.URL.RawQuery].at
		sql, args := store.ReadQuery{Connector: connector, Scope: unified.Candidates, After: &at, Limit: 51}.SQL()
		rows, err := pool.Query(context.WithoutCancel(req.Context()), sql, args...)
		if err == nil {
			for rows.Next() {
				_ = rows.RawValues()
			}
			err = rows.Err()
		}
		if err != nil {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = rw.Write(w.kept)
	})
}

// run makes n requests from some clients at once, and returns how long all took, and each.
func run(b *testing.B, h http.Handler, list []place, clients, n int) (time.Duration, []time.Duration) {
	took := make([]time.Duration, n)
	next := make(chan int)
	var wg sync.WaitGroup
	begin := time.Now()
	for range clients {
		wg.Go(func() {
			for i := range next {
				start := time.Now()
				w := &writer{header: http.Header{}}
				h.ServeHTTP(w, list[i*37%len(list)].req)
				took[i] = time.Since(start)
				if w.status >= 400 || w.n == 0 {
					b.Errorf("status %d, %d bytes", w.status, w.n)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return time.Since(begin), took
}

// writer takes an answer and keeps no more of it than it is told to.
type writer struct {
	header http.Header
	status int
	n      int
	keep   bool
	kept   []byte
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.status = status }

func (w *writer) Write(p []byte) (int, error) {
	w.n += len(p)
	if w.keep {
		w.kept = append(w.kept, p...)
	}
	return len(p), nil
}
