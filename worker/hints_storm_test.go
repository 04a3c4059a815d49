package worker_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// postman brings deliveries of Lever's over HTTP, each until it is acknowledged.
type postman struct {
	*env
	path  string
	url   atomic.Pointer[string] // of the process that takes them
	acked atomic.Int64
	again atomic.Int64 // answers that one was taken before

	mu     sync.Mutex
	faults []string
}

const postmansToken = "the token that Lever signs with"

func (e *env) postman() *postman {
	e.t.Helper()
	e.hooked()
	if err := e.db.Store.AddWebhookTokens(e.t.Context(), e.conn.ID, false, store.NewWebhookToken{Secret: postmansToken}); err != nil {
		e.t.Fatal(err)
	}
	w, err := e.db.Store.Webhooks(e.t.Context(), e.conn.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	return &postman{env: e, path: "/webhooks/lever/" + w.Secret}
}

// delivery is the n'th, signed.
func delivery(n int, opportunity string) string {
	token, at := fmt.Sprintf("a delivery's own token %d", n), time.Now().UnixMilli()
	mac := hmac.New(sha256.New, []byte(postmansToken))
	fmt.Fprint(mac, token, at)
	return fmt.Sprintf(`{"id": "d%d", "event": "candidateStageChange", "triggeredAt": %d, "token": %q, "signature": %q, "data": {"opportunityId": %q}}`,
		n, at, token, hex.EncodeToString(mac.Sum(nil)), opportunity)
}

// bring sends a delivery until it is acknowledged, and some once more.
func (p *postman) bring(client *http.Client, rng *rand.Rand, n int, opportunity string) {
	body, taken := delivery(n, opportunity), false
	for tries := 0; ; tries++ {
		resp, err := client.Post(*p.url.Load()+p.path, "application/json", strings.NewReader(body))
		status, said := 0, ""
		if err == nil {
			b, _ := io.ReadAll(resp.Body) // cut off, it says less
			_ = resp.Body.Close()
			status, said = resp.StatusCode, strings.TrimSpace(string(b))
		}
		switch {
		case status == http.StatusOK && (said == "taken" || said == "repeated"):
			if said == "repeated" {
				p.again.Add(1)
			}
			if !taken {
				p.acked.Add(1)
			} else if said != "repeated" {
				p.fault("delivery %d: %s, once more; want repeated", n, said)
			}
			if taken = true; rng.IntN(10) > 0 {
				return
			}
		case status != 0 && status != http.StatusServiceUnavailable || tries > 600:
			p.fault("delivery %d: %d %s, %v", n, status, said, err)
			return
		default: // nobody is there: Lever tries again
			pause(p.t.Context(), 50*time.Millisecond)
		}
	}
}

func (p *postman) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// TestAStormOfDeliveries: Lever tells of many changes at once, over HTTP, while the process that takes the deliveries and the
// one that looks at what they hint at die together by kill -9, again and again. Each delivery that was acknowledged is counted
// once and looked at, and all of them cost fewer calls than there were.
func TestAStormOfDeliveries(t *testing.T) {
	t.Parallel()
	deliveries, kills := amount(300, 5000), amount(2, 20)
	program, rng := buildServe(t), seeded(t)
	e := newEnv(t, levertest.Config{Seed: 45, Opportunities: amount(150, 1500), RatePerSecond: -1}, fast,
		unified.Applications, unified.Candidates, unified.Jobs, unified.JobInterviewStages, unified.RejectReasons, unified.RemoteUsers)
	p := e.postman()
	a, c := e.startAPI(program), e.wholeCrew(1, brief)
	p.url.Store(&a.url)
	e.served(2 * time.Minute)
	e.lever.ResetCounters()

	ids := e.lever.PickN(deliveries/4, levertest.Active)
	var senders sync.WaitGroup
	var next atomic.Int64
	for range 32 {
		seed := rng.Uint64()
		senders.Go(func() {
			client, rng := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, rand.New(rand.NewPCG(seed, 1))
			defer client.CloseIdleConnections()
			for n := int(next.Add(1)); n <= deliveries; n = int(next.Add(1)) {
				id := ids[rng.IntN(len(ids))]
				_, _ = e.lever.AdvanceStage(id) // it may be at its last stage: then nothing has changed
				p.bring(client, rng, n, id)
			}
		})
	}
	waiting := 0 // when they were killed
	for n := range kills {
		at := int64(deliveries * (2*n + 1) / (2 * kills))
		e.until("deliveries were acknowledged", time.Minute, func() bool { return p.acked.Load() >= at })
		a.kill()
		for _, w := range c.alive {
			w.kill()
			c.dismiss(w)
		}
		waiting += e.waiting()
		a = e.startAPI(program)
		p.url.Store(&a.url)
		c.hire()
	}
	senders.Wait()
	e.looked()
	e.served(2 * time.Minute)
	for _, f := range p.faults {
		t.Error(f)
	}
	e.checkScope(unified.Applications)
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM webhook_deliveries`); n != deliveries || p.acked.Load() != int64(deliveries) {
		t.Errorf("%d deliveries are remembered, %d were acknowledged; want %d", n, p.acked.Load(), deliveries)
	}
	if waiting == 0 {
		t.Error("no hint was waiting when the processes were killed: nothing is shown")
	}
	if n := e.calls(); n > deliveries {
		t.Errorf("%d deliveries cost %d calls, want fewer: %v", deliveries, n, e.lever.CallsBy())
	}
	ledger.add("process killed between a delivery's answer and its look", tally{tried: kills, survived: kills, failed: t.Failed(),
		note: fmt.Sprintf("%d deliveries, %d hints waiting at the kills", deliveries, waiting)})
	t.Logf("%d deliveries, %d of them taken before, under %d kills, at which %d hints waited: %d calls", deliveries, p.again.Load(), kills, waiting, e.calls())
}
