package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/leversync/leversync/lever"
)

// fetchTimeout is how long a file may take to fetch.
const fetchTimeout = time.Minute

// fetcher gets files that others name by URL. It must not be led to what only this machine can reach: each
// address is judged when it is dialled, after its name was resolved; there is no proxy, no redirect, no
// credential, and a limit on size and time.
type fetcher struct{ client *http.Client }

// fetched is a file and what its server said of it.
type fetched struct {
	body        []byte
	contentType string
	path        string // of its URL
}

// What a file's URL is refused with. The texts go to the client: they tell nothing of what was found.
var (
	errFileURL  = errors.New("it should be an http or https URL without credentials, at the usual port")
	errFetch    = errors.New("the file could not be fetched: it must be at a public address, answer 200, and come within a minute")
	errFileSize = errors.New("a file has 1 byte to 30 MB at Lever")
	errPrivate  = errors.New("api: not a public address")
)

// newFetcher makes one that dials the addresses that allow allows. resolve finds those of a name; nil: as the system does.
func newFetcher(allow func(netip.AddrPort) bool, resolve *net.Resolver) *fetcher {
	d := &net.Dialer{Timeout: 10 * time.Second, Resolver: resolve, Control: func(_, address string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err != nil || !allow(a) {
			return errPrivate
		}
		return nil
	}}
	return &fetcher{client: &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get fetches a file. Its errors may be told to the client.
func (f *fetcher) get(ctx context.Context, raw string) (fetched, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 2083 || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return fetched{}, errFileURL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fetched{}, errFileURL
	}
	req.Header.Set("User-Agent", "leversync (+https://github.com/leversync/leversync)")
	resp, err := f.client.Do(req)
	if err != nil {
		return fetched{}, errFetch
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fetched{}, errFetch
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, lever.MaxUpload+1))
	switch {
	case err != nil:
		return fetched{}, errFetch
	case len(body) == 0, len(body) > lever.MaxUpload:
		return fetched{}, errFileSize
	}
	return fetched{body: body, contentType: resp.Header.Get("Content-Type"), path: u.Path}, nil
}

// special are ranges that netip does not tell from public ones: shared, reserved, documentation, benchmarks,
// and those that carry an IPv4 address within.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"),
}

// public reports whether an address is anybody's to reach, at a port of the web.
func public(a netip.AddrPort) bool {
	ip := a.Addr().Unmap().WithZone("")
	if a.Port() != 80 && a.Port() != 443 || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
