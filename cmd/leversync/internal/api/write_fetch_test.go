package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
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
		{"[::ffff:0:127.0.0.1]:80", false}, {"[64:ff9b:1::7f00:1]:80", false}, {"[2001:0:7f00:1::]:80", false}, {"[fec0::1]:80", false}, {"[100::1]:80", false}, {"[3fff::1]:80", false}, {"[5f00::1]:80", false},
		{"93.184.216.34:0", false}, {"93.184.216.34:8080", false}, {"93.184.216.34:6379", false},
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
	all := newFetcher(func(netip.AddrPort) bool { return true }, nil)
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
	if _, err := newFetcher(public, nil).get(t.Context(), srv.URL+"/cv.pdf"); !errors.Is(err, errFetch) {
		t.Errorf("get of this machine = %v; want it refused", err)
	}
}

// names is a name server on this machine: answer gives the IPv4 address of the n-th question.
func names(t *testing.T, answer func(n int64) netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[:n]
			end := 12 + bytes.IndexByte(q[12:], 0) + 5 // the name, its type and class
			a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
			if binary.BigEndian.Uint16(q[end-4:]) == 1 { // A
				a[7] = 1
				ip := answer(asked.Add(1)).As4()
				a = append(append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
			}
			_, _ = conn.WriteTo(a, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// However this machine, or its network, is spelt, it is not fetched from: what counts is the address that is dialled,
// and not the one that a name had a moment ago.
func TestFetchStaysOutside(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("something of this machine was fetched, as %s", r.Host)
	}))
	defer inside.Close()
	loopback := names(t, func(int64) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	// It lets the port pass, so that the address alone decides.
	outside := newFetcher(func(a netip.AddrPort) bool { return public(netip.AddrPortFrom(a.Addr(), 80)) }, loopback)
	port := ":" + inside.URL[strings.LastIndex(inside.URL, ":")+1:]
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0", "0.0.0.0", "127.255.255.254",
		"localhost", "LOCALHOST", "localhost.", "foo.localhost", "metadata.google.internal", "127.0.0.1.nip.io", "rebind.example", "xn--fsq.example", "①②⑦.⓪.⓪.①",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]",
		"169.254.169.254", "10.0.0.1", "192.168.0.1", "172.31.255.255", "100.100.100.200", "[fd00:ec2::254]", "198.18.0.1", "224.0.0.1", "255.255.255.255", "%31%32%37.0.0.1",
	} {
		if got, err := outside.get(t.Context(), "http://"+host+port+"/"); !errors.Is(err, errFetch) && !errors.Is(err, errFileURL) {
			t.Errorf("get(http://%s) = %+v, %v; want it refused", host, got, err)
		}
	}
	// A name that was outside when it was looked at, and is inside when it is dialled.
	turns := names(t, func(n int64) netip.Addr {
		if n == 1 {
			return netip.MustParseAddr("93.184.216.34")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if got, err := turns.LookupNetIP(t.Context(), "ip4", "turns.example"); err != nil || got[0].String() != "93.184.216.34" {
		t.Fatalf("LookupNetIP = %v, %v; want an address outside", got, err)
	}
	fetch := newFetcher(func(a netip.AddrPort) bool { return public(netip.AddrPortFrom(a.Addr(), 80)) }, turns)
	if got, err := fetch.get(t.Context(), "http://turns.example"+port+"/"); !errors.Is(err, errFetch) {
		t.Errorf("get of a name that has turned inwards = %+v, %v; want it refused", got, err)
	}
}
