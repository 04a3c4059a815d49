package api

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		want    bool
	}{
		{"93.184.216.34:443", true}, {"93.184.216.34:80", true}, {"[2606:2800:220:1::1]:443", true},
		{"93.184.216.34:22", false}, {"127.0.0.1:80", false}, {"10.0.0.1:80", false}, {"172.16.0.1:80", false}, {"192.168.1.1:443", false},
		{"169.254.169.254:80", false}, {"100.64.0.1:80", false}, {"0.0.0.0:80", false}, {"0.1.2.3:80", false}, {"224.0.0.1:80", false}, {"255.255.255.255:80", false},
		{"198.18.0.1:80", false}, {"192.0.0.8:80", false}, {"240.0.0.1:80", false}, {"203.0.113.7:80", false},
		{"[::1]:80", false}, {"[::]:80", false}, {"[fe80::1]:80", false}, {"[fe80::1%eth0]:80", false}, {"[fd00::1]:80", false}, {"[ff02::1]:80", false},
		{"[::ffff:127.0.0.1]:80", false}, {"[::ffff:10.0.0.1]:80", false}, {"[::127.0.0.1]:80", false}, {"[64:ff9b::a00:1]:80", false}, {"[2002:7f00:1::]:80", false},
	} {
		if got := public(netip.MustParseAddrPort(c.address)); got != c.want {
			t.Errorf("public(%s) = %v; want %v", c.address, got, c.want)
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cv.pdf":
			w.Header().Set("Content-Type", "application/pdf")
			_, _ = w.Write([]byte("hello"))
		case "/moved":
			http.Redirect(w, r, "/cv.pdf", http.StatusFound)
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte{'x'}, lever.MaxUpload+1))
		case "/empty":
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	all := newFetcher(func(netip.AddrPort) bool { return true })
	got, err := all.get(t.Context(), srv.URL+"/cv.pdf")
	if err != nil || string(got.body) != "hello" || got.contentType != "application/pdf" || got.path != "/cv.pdf" {
		t.Errorf("get = %+v, %v; want hello, a PDF", got, err)
	}
	for _, c := range []struct {
		url  string
		want error
	}{
		{srv.URL + "/moved", errFetch}, {srv.URL + "/none", errFetch}, {srv.URL + "/large", errFileSize}, {srv.URL + "/empty", errFileSize},
		{"ftp://example.com/a", errFileURL}, {"file:///etc/passwd", errFileURL}, {"https://a:b@example.com/", errFileURL}, {"/a", errFileURL}, {"http://", errFileURL},
		{"https://example.com/" + strings.Repeat("a", 2083), errFileURL},
	} {
		if _, err := all.get(t.Context(), c.url); !errors.Is(err, c.want) {
			t.Errorf("get(%.40s) = %v; want %v", c.url, err, c.want)
		}
	}
	if _, err := newFetcher(public).get(t.Context(), srv.URL+"/cv.pdf"); !errors.Is(err, errFetch) {
		t.Errorf("get of this machine = %v; want it refused", err)
	}
}
