package lever

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// grants collects when slots were given.
type grants struct {
	mu sync.Mutex
	at []time.Time
}

func (g *grants) add() {
	g.mu.Lock()
	g.at = append(g.at, time.Now())
	g.mu.Unlock()
}

// densest is the most grants in any window of d.
func (g *grants) densest(d time.Duration) int {
	slices.SortFunc(g.at, time.Time.Compare)
	most, from := 0, 0
	for i, at := range g.at {
		for at.Sub(g.at[from]) >= d {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// worker takes slots until ctx ends, and comes back as it is told to.
func worker(ctx context.Context, b *Budget, lane Lane, g *grants) {
	for ctx.Err() == nil {
		_, err := b.Wait(ctx, lane)
		var refused *BudgetError
		switch {
		case err == nil:
			g.add()
		case errors.As(err, &refused):
			pause(ctx, refused.RetryAfter)
		}
	}
}

// saturate runs workers over budgets for d and returns what they got.
func saturate(t *testing.T, budgets []*Budget, workers int, lane Lane, d time.Duration) *grants {
	t.Helper()
	end := time.Now().Add(d)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	g := &grants{}
	var wg sync.WaitGroup
	for _, b := range budgets {
		for range workers {
			wg.Go(func() { worker(ctx, b, lane, g) })
		}
	}
	wg.Wait()
	g.at = slices.DeleteFunc(g.at, end.Before) // the machine may have noticed the end too late
	return g
}

// stalls watches by how much the machine lets goroutines sleep too long, and Redis, unless o is nil, answer too late. It returns
// the most so far, and the sum of what was worth mentioning: while the machine lets nobody run, no slot can be used.
func stalls(t *testing.T, o *goredis.Options) func() (most, stalled time.Duration) {
	t.Helper()
	var longest, sum atomic.Int64
	note := func(late time.Duration) {
		for {
			was := longest.Load()
			if int64(late) <= was || longest.CompareAndSwap(was, int64(late)) {
				break
			}
		}
		if late > 5*time.Millisecond {
			sum.Add(int64(late))
		}
	}
	sums := func() (most, stalled time.Duration) { return time.Duration(longest.Load()), time.Duration(sum.Load()) }
	watch := func(once func()) {
		for t.Context().Err() == nil {
			before := time.Now()
			once()
			note(time.Since(before) - time.Millisecond)
		}
	}
	go watch(func() { pause(t.Context(), time.Millisecond) })
	if o == nil {
		return sums
	}
	rdb := goredis.NewClient(&goredis.Options{Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLSConfig})
	t.Cleanup(func() { _ = rdb.Close() })
	go watch(func() { _ = rdb.Ping(t.Context()).Err(); pause(t.Context(), 500*time.Microsecond) }) // it fails when the test is over
	return sums
}

// least is what of at least so many grants in d is to be had though the machine stalled for a while.
func least(n int, d, stalled time.Duration) int {
	return int(float64(n) * (d - stalled).Seconds() / d.Seconds())
}

// twoSeconds saturates budgets of 40 calls a second for two seconds, which must give so many grants. redis is nil where it is away.
func twoSeconds(t *testing.T, when string, redis *goredis.Options, budgets []*Budget, from, to int) {
	t.Helper()
	const d = 2 * time.Second
	slept := stalls(t, redis)
	got := len(saturate(t, budgets, 8, LaneIncremental, d).at)
	_, stalled := slept()
	if want := least(from, d, stalled); got < want || got > to {
		t.Errorf("2 s at 40/s %s (stalled for %v): got %d grants, want %d to %d", when, stalled, got, want, to)
	}
}

func TestBudgetIsUsedAndKept(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	for _, tc := range []struct {
		name               string
		processes, workers int
		rate               float64
		lane               Lane
	}{
		{"1 process", 1, 8, 20, LaneIncremental},
		{"2 processes", 2, 8, 20, LaneBackfill},
		{"4 processes", 4, 8, 10, LaneIncremental},
		{"8 processes", 8, 4, 20, LaneSweep},
		{"high rate", 2, 40, 200, LaneBackfill},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			const d = 4 * time.Second
			var g *grants
			var late, stalled time.Duration
			// Processes that Redis does not answer in time go on at a quarter of the rate, each by itself: a machine that
			// stalled for most of the time shows nothing.
			for try := 0; try < 5 && (try == 0 || stalled > d/4); try++ {
				var budgets []*Budget
				for range tc.processes {
					budgets = append(budgets, newBudgets(t, redis).For(fmt.Sprint("c", try), tc.rate))
				}
				slept := stalls(t, redis)
				g = saturate(t, budgets, tc.workers, tc.lane, d)
				late, stalled = slept()
			}
			allowed := tc.rate * d.Seconds()
			want := 0.97 * tc.rate * (d - stalled).Seconds()
			if got := float64(len(g.at)); got < want || got > allowed+budgetBurst {
				t.Errorf("%d processes x %d workers at %v/s for %v (stalled for %v): got %v grants, want %v to all of %v", tc.processes, tc.workers, tc.rate, d, stalled, got, want, allowed)
			}
			// A goroutine may wake up late, and the next one not: what is counted here is when they woke.
			if got, most := g.densest(time.Second), int(tc.rate*(1.02+late.Seconds()))+budgetBurst; got > most {
				t.Errorf("%d processes x %d workers at %v/s: got %d grants within a second, want at most %d", tc.processes, tc.workers, tc.rate, got, most)
			}
		})
	}
}

func TestBudgetLaneGoesFirst(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	low, high := newBudgets(t, redis).For("c", 20), newBudgets(t, redis).For("c", 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var backfill, incremental grants
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { worker(ctx, low, LaneBackfill, &backfill) })
	}
	pause(ctx, 500*time.Millisecond) // its slots are reserved as far ahead as they may be
	slept := stalls(t, redis)
	from := time.Now()
	for range 8 {
		wg.Go(func() { worker(ctx, high, LaneIncremental, &incremental) })
	}
	start := time.Now()
	_, err := low.Wait(ctx, LaneWrite)
	took := time.Since(start)
	if _, stalled := slept(); err != nil || took > 1500*time.Millisecond+stalled {
		t.Errorf("a write amid saturated lanes (stalled for %v): got %v after %v, want a slot within 1.5 s", stalled, err, took)
	}
	pause(ctx, 3*time.Second-time.Since(from))
	cancel()
	wg.Wait()
	_, stalled := slept()
	late := 0
	for _, at := range backfill.at {
		if at.Sub(from) > time.Second {
			late++
		}
	}
	// Whom the machine does not let run is not there, and the other lane has the slot.
	want, others := least(40, 3*time.Second, stalled), 6+int(20*stalled.Seconds())
	if len(incremental.at) < want || late > others {
		t.Errorf("3 s at 20/s, incremental beside backfill (stalled for %v): got %d incremental and, after the first second, %d backfill; want at least %d and at most %d", stalled, len(incremental.at), late, want, others)
	}
}

func TestBudgetLeavesNothingUnusedBesideAQuietHighLane(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	low, high := newBudgets(t, redis).For("c", 20), newBudgets(t, redis).For("c", 20)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	slept := stalls(t, redis)
	var g grants
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { worker(ctx, low, LaneSweep, &g) })
	}
	wg.Go(func() { // one call after the other, each taking a while
		for ctx.Err() == nil {
			if _, err := high.Wait(ctx, LaneIncremental); err == nil {
				g.add()
			}
			pause(ctx, 300*time.Millisecond)
		}
	})
	wg.Wait()
	_, stalled := slept()
	if got, want := len(g.at), least(55, 3*time.Second, stalled); got < want {
		t.Errorf("3 s at 20/s, a sweep beside single incremental calls (stalled for %v): got %d grants, want at least %d", stalled, got, want)
	}
}

func TestBudgetGivesWayTo429(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	a, b := newBudgets(t, redis).For("c", 40), newBudgets(t, redis).For("c", 40)
	if _, err := a.Wait(t.Context(), LaneIncremental); err != nil {
		t.Fatal(err)
	}
	for range 10 { // under way together
		a.Throttled(300 * time.Millisecond)
	}
	start := time.Now()
	if _, err := b.Wait(t.Context(), LaneIncremental); err != nil || time.Since(start) < 250*time.Millisecond {
		t.Errorf("another process right after a 429: got %v after %v, want a slot after 300 ms", err, time.Since(start))
	}
	twoSeconds(t, "after a 429, at half the rate", redis, []*Budget{a, b}, 36, 45)
	a.Succeeded()
	pause(t.Context(), time.Second)
	twoSeconds(t, "after success, at some more than half", redis, []*Budget{a}, 40, 60)
	a.Throttled(time.Hour)
	_, err := b.Wait(t.Context(), LaneWrite)
	if got := RetryAfter(err); got < 50*time.Minute {
		t.Errorf("amid an hour's block: got %v, want a BudgetError of about an hour", err)
	}
}

// TestBudgetOfAClockPutBack: an hour ago, for Redis, all that the budget remembers lay an hour ahead.
func TestBudgetOfAClockPutBack(t *testing.T) {
	t.Parallel()
	opt := testRedis(t)
	bs := newBudgets(t, opt)
	b := bs.For("c", 40)
	for range 10 {
		if _, err := b.Wait(t.Context(), LaneIncremental); err != nil {
			t.Fatal(err)
		}
	}
	b.Throttled(time.Millisecond)
	key := bs.prefix + "{c}"
	fields, err := bs.rdb.HGetAll(t.Context(), key).Result()
	if err != nil || fields["at"] == "" {
		t.Fatalf("%v, %v: want the moment that it was last looked at", fields, err)
	}
	for _, f := range []string{"tat", "ft", "lt", "blocked", "at", "m0", "m1", "m2", "m3", "m4"} {
		if v, err := strconv.ParseInt(fields[f], 10, 64); err == nil {
			bs.rdb.HSet(t.Context(), key, f, v+time.Hour.Microseconds())
		}
	}
	bs.rdb.HSet(t.Context(), key, "m0", time.Now().Add(time.Hour).UnixMicro()) // a higher lane stood there
	twoSeconds(t, "after the clock was put back an hour", opt, []*Budget{newBudgets(t, opt).For("c", 40)}, 30, 84)
}

func TestBudgetWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	bs := newBudgets(t, &goredis.Options{Addr: redis.addr})
	b := bs.For("c", 40)
	if _, err := b.Wait(t.Context(), LaneIncremental); err != nil {
		t.Fatal(err)
	}
	redis.stop()
	twoSeconds(t, "without Redis, at a quarter", nil, []*Budget{b}, 15, 25)
	redis.start(t)
	pause(t.Context(), 1100*time.Millisecond) // it is asked again once a second
	saturate(t, []*Budget{b}, 8, LaneIncremental, 200*time.Millisecond)
	twoSeconds(t, "with Redis back, and empty", &goredis.Options{Addr: redis.addr}, []*Budget{b}, 70, 84)
}

func TestBudgetRefusesAHopelessWait(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	b := newBudgets(t, redis).For("c", 5)
	slept := stalls(t, redis)
	ctx, cancel := context.WithCancel(t.Context())
	var g grants
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			start := time.Now()
			_, err := b.Wait(ctx, LaneIncremental)
			took := time.Since(start)
			if _, stalled := slept(); took > 2500*time.Millisecond+stalled {
				t.Errorf("Wait among 20 at 5/s (stalled for %v): got %v after %v, want an answer within patience and horizon", stalled, err, took)
			}
			if err == nil {
				g.add()
			} else if after := RetryAfter(err); Classify(err) != VerdictThrottled || after <= 0 || after > 10*time.Second {
				t.Errorf("Wait among 20 at 5/s: got %v, want a BudgetError that says when", err)
			}
		})
	}
	wg.Wait()
	if len(g.at) < 5 {
		t.Errorf("20 calls at once at 5/s: got %d grants, want those of a second", len(g.at))
	}
	cancel()
	if _, err := b.Wait(ctx, LaneIncremental); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a context that ended: got %v, want context.Canceled", err)
	}
}
