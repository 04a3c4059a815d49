package worker_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker"
)

// TestTheBudgetIsUsedAndNeverExceeded: a whole first sync at a limited rate. The account's size and the rate
// are small here; LEVERSYNC_TEST_OPPORTUNITIES and LEVERSYNC_TEST_RATE make them what they are in life, and
// LEVERSYNC_TEST_LATENCY_MS and LEVERSYNC_TEST_WORKERS say how slow Lever is, and how many processes share the work.
func TestTheBudgetIsUsedAndNeverExceeded(t *testing.T) {
	t.Parallel()
	n, rate := number(t, "LEVERSYNC_TEST_OPPORTUNITIES", 150), float64(number(t, "LEVERSYNC_TEST_RATE", 50))
	latency, workers := time.Duration(number(t, "LEVERSYNC_TEST_LATENCY_MS", 0))*time.Millisecond, number(t, "LEVERSYNC_TEST_WORKERS", 0)
	e := newEnv(t, levertest.Config{Seed: 30, Opportunities: n, RatePerSecond: rate, Burst: 20, Confidential: true, Latency: latency}, rate)
	if workers > 0 {
		e.crew(workers, store.DefaultLease)
		e.startScheduler()
	} else {
		e.start(worker.Config{})
	}
	began := time.Now()
	e.wait(began)
	took := time.Since(began)
	e.check()
	// Each list once, each opportunity's five lists of children, each posting's questions.
	forms := len(e.lever.Records("postings"))
	bound := (n+99)/100 + 5*n + forms + 8
	if got := e.calls(); float64(got) > 1.01*float64(bound) {
		t.Errorf("%d calls, bound %d: %v", got, bound, e.lever.CallsBy())
	}
	if got := e.lever.Throttled(); got != 0 {
		t.Errorf("%d answers 429 caused, want none", got)
	}
	use := float64(e.calls()) / rate / took.Seconds()
	if margin := time.Duration(50 / rate * float64(time.Second)); took > 4*margin { // at ten a second: five seconds to begin and to end
		t.Logf("without the first and the last %s: %.1f %%", margin, 100*e.lever.Utilisation(began.Add(margin), began.Add(took-margin)))
		e.gaps(began, took, margin)
	}
	t.Logf("%d opportunities at %g a second: %d calls, bound %d, %.1f s, %.1f %% of the budget used", n, rate, e.calls(), bound, took.Seconds(), 100*use)
	if got := e.lever.MaxInWindow(time.Second); float64(got) > rate*1.02+3 {
		t.Errorf("%d calls in one second, want at most %g and a burst of 2", got, rate)
	}
	if os.Getenv("LEVERSYNC_TEST_RATE") == "" {
		return // how fast it was says more of the machine than of the code: that is for a run by hand
	}
	if use < 0.9 {
		t.Errorf("%.1f %% of the budget used, want at least 90", 100*use)
	}
}

// gaps logs what share of the budget was used, in each twentieth of the time.
func (e *env) gaps(began time.Time, took, margin time.Duration) {
	const parts = 20
	step := (took - 2*margin) / parts
	var shares []string
	for i := range parts {
		from := began.Add(margin + time.Duration(i)*step)
		shares = append(shares, strconv.Itoa(int(100*e.lever.Utilisation(from, from.Add(step)))))
	}
	e.t.Logf("by twentieths of the time: %s", strings.Join(shares, " "))
}

func number(t testing.TB, env string, otherwise int) int {
	t.Helper()
	v := os.Getenv(env)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%q: want a number", env, v)
	}
	return n
}
