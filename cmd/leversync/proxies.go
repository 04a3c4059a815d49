package main

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

// throughProxies has requests that came through proxies of ours bear the address of who asked them: limits go by it. What
// anybody else says of an address is not believed.
func throughProxies(trusted config.Proxies, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.WithContext(r.Context())
		asked.RemoteAddr = clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
		next.ServeHTTP(w, asked)
	})
}

// clientAddress is where a request comes from, whose connection is peer's: each proxy adds to the end of X-Forwarded-For
// who asked it, so the last one that is no proxy of ours is it. Further to the left stands what a client made up.
func clientAddress(peer string, forwarded []string, trusted config.Proxies) string {
	from, ok := parseHop(peer)
	if !ok {
		return peer
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted.Hold(from); i-- {
		hop, ok := parseHop(hops[i])
		if !ok { // nothing that can be counted by: the proxy stands for who is behind it
			break
		}
		from = hop
	}
	return netip.AddrPortFrom(from, 0).String()
}

// parseHop reads an address, with a port or without.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap(), err == nil
}
