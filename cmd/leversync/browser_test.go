package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const (
	browserEnv   = "LEVERSYNC_TEST_BROWSER" // the path of a Chromium or Chrome
	artifactsEnv = "LEVERSYNC_ARTIFACTS"    // the folder that keeps screenshots; unset: the test's own
	stepLimit    = time.Minute              // for one step of what a test does in its browser
	browserLimit = 8 * time.Minute          // for all of it: some have a hundred steps, and a machine may be slow
)

// browsers bounds how many run side by side: each takes half a core and 300 MB.
var browsers = make(chan struct{}, max(1, runtime.NumCPU()/2))

// chromium is a browser with a fresh profile, for one test. What goes wrong in a page without being seen fails the
// test at its end: a request to another host, an uncaught exception, a violation of the page's own policy.
type chromium struct {
	t      testing.TB
	ctx    context.Context
	main   *chromium // what opened this window; nil: this is the first
	folder string    // of the screenshots
	shots  int

	mu     sync.Mutex
	faults []string
}

// newChromium starts a browser, and ends it with the test. Without one the test is skipped, in CI it fails.
func newChromium(t testing.TB) *chromium { t.Helper(); return newChromiumFor(t, browserLimit) }

// newChromiumFor is newChromium for a test that takes longer than most.
func newChromiumFor(t testing.TB, limit time.Duration) *chromium {
	t.Helper()
	program := os.Getenv(browserEnv)
	if program == "" {
		lacks(t, "no browser ("+browserEnv+" is not set): run it with make test")
	}
	c := &chromium{t: t, folder: artifacts(t)}
	select {
	case browsers <- struct{}{}:
		t.Cleanup(func() { <-browsers })
	case <-t.Context().Done():
		t.Fatal("no turn at the browser before the end of the test")
	}
	limited, release := context.WithTimeout(context.Background(), limit)
	allocator, stop := chromedp.NewExecAllocator(limited, browserOptions(program)...)
	tab, closeTab := chromedp.NewContext(allocator)
	c.ctx = tab
	t.Cleanup(func() {
		if t.Failed() {
			c.shot("as it failed")
		}
		closeTab()
		stop() // waits for the process, and removes its profile
		release()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range c.faults {
			t.Errorf("in the browser: %s", f)
		}
	})
	if err := chromedp.Listen(tab, c.note); err != nil {
		t.Fatalf("%s does not start: %v", program, err)
	}
	c.viewport(1100, 800)
	return c
}

// window is the window that act opens, of the same browser. Both can be used.
func (c *chromium) window(act func()) *chromium {
	c.t.Helper()
	opened := chromedp.WaitNewTarget(c.ctx, func(i *target.Info) bool { return i.Type == "page" })
	act()
	select {
	case id := <-opened:
		tab, closeTab := chromedp.NewContext(c.ctx, chromedp.WithTargetID(id))
		c.t.Cleanup(closeTab)
		w := &chromium{t: c.t, ctx: tab, main: c}
		if err := chromedp.Listen(tab, w.note); err != nil {
			c.t.Fatalf("the new window: %v", err)
		}
		return w
	case <-c.ctx.Done():
		c.t.Fatal("no window was opened")
		return nil
	}
}

func browserOptions(program string) []chromedp.ExecAllocatorOption {
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(program), chromedp.DisableGPU,
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.Flag("lang", "en-US"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root otherwise
	}
	return options
}

// lacks ends a test that lacks something: a skip at a developer's desk, a failure in CI, where nothing may go untested.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// artifacts is the folder for what a test leaves to look at.
func artifacts(t testing.TB) string {
	t.Helper()
	parent := os.Getenv(artifactsEnv)
	if parent == "" {
		return t.ArtifactDir()
	}
	folder := filepath.Join(parent, strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// note keeps what must not happen in a page.
func (c *chromium) note(event any) {
	fault := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if elsewhere(e.Request.URL) {
			fault = "a request to another host: " + e.Request.URL
		}
	case *cdpruntime.EventExceptionThrown:
		fault = "an uncaught exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			fault += " " + x.Description
		}
	case *log.EventEntryAdded:
		// Network entries are answers such as 403, which a test may want.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			fault = fmt.Sprintf("an error of %s: %s", e.Entry.Source, e.Entry.Text)
		}
	}
	if fault == "" {
		return
	}
	if c.main != nil {
		c = c.main
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, secretInPath.ReplaceAllString(fault, "/connect/…"))
}

// elsewhere reports whether a request leaves this machine.
func elsewhere(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return true
	}
	switch u.Scheme {
	case "data", "blob", "about", "chrome", "devtools":
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	for rawURL, want := range map[string]bool{
		"http://127.0.0.1:8080/docs": false, "http://localhost/": false, "http://[::1]:80/": false, "data:image/png;base64,AA": false, "about:blank": false,
		"https://fonts.example.com/a.woff2": true, "http://127.0.0.1.example.com/": true, "http://10.0.0.1/": true, "ftp://example.com/": true, "://": true,
	} {
		if got := elsewhere(rawURL); got != want {
			t.Errorf("elsewhere(%q) = %v, want %v", rawURL, got, want)
		}
	}
}
