package lever

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// NewTransport is a transport tuned for many calls at once to one host.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// sharedTransport serves all clients that bring none: they call the same host.
var sharedTransport = sync.OnceValue(func() http.RoundTripper { return NewTransport() })

// httpClient follows no redirect: it would take the credential along.
func httpClient(rt http.RoundTripper) *http.Client {
	if rt == nil {
		rt = sharedTransport()
	}
	return &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transportError is what is told of a failed exchange: the caller's own end, or a *TransportError
// without the URL, whose query may hold personal data.
func transportError(ctx context.Context, template string, err error) error {
	if gone := ctx.Err(); gone != nil {
		return fmt.Errorf("lever: %s: %w", template, gone)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &TransportError{Path: template, Err: err}
}

// checkBaseURL accepts absolute https URLs, and http ones to this machine: a credential goes there.
func checkBaseURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("cannot be parsed") // the error would repeat it, and with it a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Hostname() == "":
		return errors.New("must be absolute, https://host/path")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("must have no user, query or fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("must be https: %s is not this machine", u.Hostname())
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
