package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// soakEnv is for how long TestSoak soaks; unset: for as long as it takes to see that it can.
const soakEnv = "LEVERSYNC_SOAK"

// A soak reads its figures so often in all, sums up so many of them in one point, and judges by the points that are left
// once the process has warmed up.
const (
	soakPoints  = 36
	soakSamples = 6             // of a point
	soakWarm    = 6             // points that do not count
	soakRise    = 10            // by which the least of the last third may be above that of the first, in percent
	soakMore    = 4             // and of what is counted by so many more: connections come and go
	soakBound   = 1             // growth of the line that is allowed, in percent of the level an hour
	soakLine    = 6 * time.Hour // of less the line tells nothing: resident memory rises until the highest load was seen
)

// soakFigures are the metrics that must not grow, and the unit they are printed in.
var soakFigures = map[string]struct {
	title string
	unit  float64
}{
	"go_goroutines":                 {"goroutines", 1},
	"process_open_fds":              {"open files", 1},
	"process_resident_memory_bytes": {"resident memory, MB", 1 << 20},
	"go_gc_heap_live_bytes":         {"live heap, MB", 1 << 20},
}

// TestSoak: three processes of the shipped binary sync an account that changes, an hour every some seconds, and something
// goes wrong in each; one of the three is left alive from beginning to end, and read from. What it holds does not grow,
// and once nothing goes wrong any more, two cycles bring the copy to what the source holds.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasting, err := time.ParseDuration(os.Getenv(soakEnv))
	judged := err == nil
	if !judged {
		lasting = 3 * time.Second
	}
	program := buildServe(t)
	n := newNemesis(t, 60, 0)
	n.crew.program = program
	for range 2 {
		n.crew.hire()
	}
	steady := n.serve(program, "steady")
	n.served(2 * time.Minute)
	readings := n.watch(steady, lasting)
	for hour, began := 0, time.Now(); time.Since(began) < lasting; hour++ {
		n.soakHour(hour, lasting/soakPoints/2)
		if n.safe(); t.Failed() {
			t.Fatalf("hour %d: see above", hour)
		}
	}
	got := readings()
	n.converges()
	n.crew.survived()
	if len(got["go_goroutines"]) == 0 {
		t.Error("nothing was read of the process that stayed")
	}
	if judged {
		judge(t, got, lasting)
	}
	steady.term()
}

// soakHour is an hour in the life of an account, and then nothing until pause is over, as most of life is.
func (n *nemesis) soakHour(hour int, pause time.Duration) {
	n.t.Helper()
	rest := time.After(pause)
	n.pass(time.Hour)
	n.claimed() // by schedulers that look once in a few seconds
	n.hour(hour)
	select {
	case <-rest:
	case <-n.t.Context().Done():
	}
}

// serve starts `leversync serve` as it is shipped, and returns once it listens. It is killed when the test ends.
func (e *env) serve(program, name string) *child {
	e.t.Helper()
	c := &child{t: e.t, name: name, exited: make(chan struct{}), stdin: io.NopCloser(nil)}
	c.cmd = exec.Command(program, "serve")
	c.cmd.Env = append(append(os.Environ(), e.services(name)...), "LEVERSYNC_ADDR=127.0.0.1:0", "LEVERSYNC_DB_CONNS=6")
	c.cmd.Stderr = c
	if err := c.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() { defer close(c.exited); _ = c.cmd.Wait() }()
	e.t.Cleanup(c.end)
	e.poll(name+" listens", childTimeout, func() bool { return c.address() != "" }, c.text)
	return c
}

var listens = regexp.MustCompile(`msg=listening addr=(\S+)`)

// address is where a process of serve listens; "": nowhere yet.
func (c *child) address() string {
	if m := listens.FindStringSubmatch(c.text()); m != nil {
		return m[1]
	}
	return ""
}

// watch reads candidates from a process, and what it holds, until the function that it returns is called, which returns
// the readings of each figure.
func (n *nemesis) watch(c *child, lasting time.Duration) func() map[string][]float64 {
	n.t.Helper()
	_, key, err1 := n.db.Store.CreateAPIKey(n.t.Context(), "soak")
	token, err2 := n.db.Store.RegenerateConnectorToken(n.t.Context(), n.conn.ID)
	if err := errors.Join(err1, err2); err != nil {
		n.t.Fatal(err)
	}
	out := map[string][]float64{}
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan struct{})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		defer close(done)
		for tick := time.NewTicker(lasting / soakPoints / soakSamples); ctx.Err() == nil; {
			_ = read(ctx, client, "http://"+c.address()+"/api/ats/v1/candidates?page_size=100", key, token) // Postgres may be away
			text := read(ctx, client, "http://"+c.address()+"/metrics", "", "")
			for name := range soakFigures {
				if m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text); m != nil {
					v, _ := strconv.ParseFloat(m[1], 64)
					out[name] = append(out[name], v)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return func() map[string][]float64 { cancel(); <-done; return out }
}

// read is the body of a GET; "" where none comes.
func read(ctx context.Context, client *http.Client, url, key, token string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Connector-Token", token)
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// judge prints a table of the figures, and demands that none grows by more than is allowed: the least of the last third
// beside that of the first, and of a long soak the line through the points, less three times its standard error.
func judge(t *testing.T, readings map[string][]float64, lasting time.Duration) {
	t.Helper()
	fmt.Printf("SOAK of %s: least of the first, second, last third; %% an hour ± three standard errors\n", lasting)
	for _, name := range slices.Sorted(maps.Keys(soakFigures)) {
		f, points := soakFigures[name], leasts(readings[name])
		if len(points) < 10 {
			t.Errorf("%s: %d points of %d readings, want 10 at least", f.title, len(points), len(readings[name]))
			continue
		}
		slope, err := trend(points)
		hourly := 100 / mean(points) * float64(time.Hour) / (float64(lasting) / soakPoints)
		third := len(points) / 3
		first, second, last := slices.Min(points[:third]), slices.Min(points[third:len(points)-third]), slices.Min(points[len(points)-third:])
		fmt.Printf("%-20s %6.1f %6.1f %6.1f  %+.2f ± %.2f  of %d readings\n", f.title, first/f.unit, second/f.unit, last/f.unit, slope*hourly, 3*err*hourly, len(readings[name]))
		if lasting >= soakLine && (slope-3*err)*hourly > soakBound {
			t.Errorf("%s: grows by %.2f %% ± %.2f %% an hour, want at most %d %%", f.title, slope*hourly, 3*err*hourly, soakBound)
		}
		most := first * (1 + soakRise/100.0)
		if f.unit == 1 {
			most += soakMore
		}
		if last > most {
			t.Errorf("%s: at least %.1f in the last third, and %.1f in the first; want at most %.1f", f.title, last/f.unit, first/f.unit, most/f.unit)
		}
	}
}

// leasts are the points of a row of readings: the least of each few, since what a moment needs comes and goes, without
// those of the warming up.
func leasts(readings []float64) []float64 {
	var points []float64
	for group := range slices.Chunk(readings, soakSamples) {
		points = append(points, slices.Min(group))
	}
	return points[min(soakWarm, len(points)):]
}

// trend is the slope, per point, of the line that fits points best, and its standard error.
func trend(points []float64) (slope, stderr float64) {
	n, my := float64(len(points)), mean(points)
	mx := (n - 1) / 2
	var xx, xy, rest float64
	for i, y := range points {
		dx := float64(i) - mx
		xx, xy = xx+dx*dx, xy+dx*(y-my)
	}
	slope = xy / xx
	for i, y := range points {
		d := y - my - slope*(float64(i)-mx)
		rest += d * d
	}
	return slope, math.Sqrt(rest / (n - 2) / xx)
}

func mean(points []float64) float64 {
	sum := 0.0
	for _, p := range points {
		sum += p
	}
	return sum / float64(len(points))
}

// TestTrend: the judge of a soak sees what grows amid noise, and takes no noise for growth.
func TestTrend(t *testing.T) {
	t.Parallel()
	rng := random(t)
	row := func(growth, noise float64) (slope, stderr float64) {
		points := make([]float64, soakPoints-soakWarm)
		for i := range points {
			points[i] = 100 + growth*float64(i) + noise*rng.NormFloat64()
		}
		return trend(points)
	}
	if slope, err := row(0.5, 0); math.Abs(slope-0.5) > 1e-9 || err > 1e-9 {
		t.Errorf("a line that grows by 0.5: %g ± %g", slope, err)
	}
	if slope, err := row(0.5, 1); slope-3*err < 0.1 {
		t.Errorf("a line that grows by 0.5 amid noise of 1: %g ± %g, want it seen", slope, err)
	}
	told := 0
	for range 200 {
		if slope, err := row(0, 1); slope-3*err > 0 {
			told++
		}
	}
	if told > 5 {
		t.Errorf("of 200 rows of noise %d are said to grow, want none, or one", told)
	}
	if got := leasts([]float64{9, 9, 9, 9, 9, 9}); len(got) != 0 {
		t.Errorf("leasts of the warming up = %v, want none", got)
	}
}
