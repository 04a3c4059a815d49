package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// BenchmarkList reads pages of 50 candidates, with their applications and attachments, of 100,000, from 16 clients
// at once, from all over the list. It reports the time that half, and that 99 of 100 requests take at most.
func BenchmarkList(b *testing.B) {
	db := storetest.New(b)
	opt, err := redis.ParseURL(storetest.RedisURL(b))
	if err != nil {
		b.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	defer rdb.Close()
	c, token, err := db.Store.CreateConnector(b.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k", Scopes: unified.Scopes})
	if err != nil {
		b.Fatal(err)
	}
	_, key, err := db.Store.CreateAPIKey(b.Context(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	db.Exec(`INSERT INTO candidates (connector_id, id, remote_id, body_hash, modified_at, first_name, last_name, title, email_addresses, phone_numbers, locations, urls, tags, remote_created_at)
SELECT $1, md5('c' || i)::uuid, 'c' || i, '\x00', '2026-01-01'::timestamptz + i * interval '1 s', 'Ada', 'Lovelace ' || i, 'Engineer', ARRAY['p' || i || '@example.com'],
    ARRAY['+33123456789'], ARRAY['Paris'], '[{"value": "https://example.com/x", "url_type": "OTHER"}]', ARRAY['a', 'b'], now() FROM generate_series(1, $2::int) i`, c.ID, n)
	db.Exec(`INSERT INTO applications (connector_id, id, remote_id, body_hash, candidate) SELECT $1, md5('a' || i)::uuid, 'a' || i, '\x00', md5('c' || i)::uuid FROM generate_series(1, $2::int) i`, c.ID, n)
	db.Exec(`INSERT INTO attachments (connector_id, id, remote_id, body_hash, candidate, source) SELECT $1, md5('f' || i)::uuid, 'f' || i, '\x00', md5('c' || i)::uuid, 'files' FROM generate_series(1, $2::int) i`, c.ID, n)
	db.Exec("VACUUM ANALYZE candidates, applications, attachments")
	h, err := New(Config{Store: db.Store, Redis: rdb, Queue: task.NewQueue(rdb), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), PublicURL: "https://sync.example.com", RateLimitPerMinute: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var cursors []string
	for i := 1000; i < n; i += 1000 {
		at := store.Position{At: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)}
		cursors = append(cursors, db.Store.Cursor(c.ID.String()+" candidates", at))
	}
	one := func(i int) {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, ats+"candidates?cursor="+cursors[i*37%len(cursors)], nil)
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("X-Connector-Token", token)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, req); w.Code != http.StatusOK {
			b.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for i := range 200 {
		one(i)
	}
	const clients = 16
	var mu sync.Mutex
	var took []time.Duration
	next := make(chan int)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range next {
				start := time.Now()
				one(i)
				d := time.Since(start)
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	for i := 0; b.Loop(); i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
