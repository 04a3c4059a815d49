package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often a password may be tried from one address, and how many addresses are remembered.
const (
	tryBurst  = 8
	tryEvery  = 15 * time.Second
	maxTriers = 10_000
)

// tries limits how often passwords are tried, in one process. A password is checked by one browser at a time, because
// each check takes 19 MiB.
type tries struct {
	mu       sync.Mutex
	limiters map[netip.Prefix]*rate.Limiter
	checking chan struct{} // holds one
}

func newTries() *tries {
	return &tries{limiters: map[netip.Prefix]*rate.Limiter{}, checking: make(chan struct{}, 1)}
}

// allow says whether an address may try now, and when next where it may not.
func (t *tries) allow(from netip.Prefix, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.limiters[from]
	if l == nil {
		if len(t.limiters) >= maxTriers {
			t.forget(now)
		}
		l = rate.NewLimiter(rate.Every(tryEvery), tryBurst)
		t.limiters[from] = l
	}
	if l.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration((1 - l.TokensAt(now)) * float64(tryEvery)), false
}

// forget drops those who may try as often as anybody; all, where there are none of them.
func (t *tries) forget(now time.Time) {
	for from, l := range t.limiters {
		if l.TokensAt(now) >= tryBurst {
			delete(t.limiters, from)
		}
	}
	if len(t.limiters) >= maxTriers {
		clear(t.limiters)
	}
}

// succeeded lets an address that knew the password try afresh.
func (t *tries) succeeded(from netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.limiters, from)
}

// addressOf is where a request comes from: an IPv4 address, or the network of an IPv6 one, of which everybody has many.
// What a proxy says of it is not believed: anybody could say it.
func addressOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
