package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/leversync/leversync/lever/levertest"
)

// TestConnectInABrowser links an account by real clicks: through our page, Lever's consent page, and back to the page
// that follows the first sync. Each page is held to the rules of accessibility, in both colour schemes and on a telephone.
func TestConnectInABrowser(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 51, Opportunities: 20, RatePerSecond: -1})
	base := c.startWeb()
	link := c.magicLink(base)

	b := newChromium(t)
	b.open(link)
	b.see("Allow and Continue")
	b.accessible()
	b.shot("asked")
	b.dark(true)
	b.viewport(375, 700)
	b.accessible()
	b.shot("asked on a telephone in the dark")
	if width := evaluate[int](b, "document.documentElement.scrollWidth"); width > 375 {
		t.Errorf("the page is %d pixels wide on a telephone of 375", width)
	}
	b.dark(false)
	b.viewport(1100, 800)

	b.follow("Allow and Continue", "Authorize access to your account")
	b.shot("lever asks")
	b.follow("Deny", "not")
	b.accessible()
	b.shot("refused")

	b.open(link)
	b.follow("Go on where you were", "Allow and Continue") // the browser that has used the link may try again
	b.follow("Allow and Continue", "Authorize access to your account")
	b.follow("Accept", "Lever is connected")
	b.accessible()
	b.shot("first sync")
	b.see("You can close this page.")
	b.see("has been copied")
	b.accessible()
	b.shot("done")
}

// TestConnectByKeyboard links an account with an API key, by the keyboard alone and without scripts.
func TestConnectByKeyboard(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 52, Opportunities: 10, RatePerSecond: -1})
	base := c.startWeb()

	b := newChromium(t)
	b.scripts(false)
	b.open(c.magicLink(base))
	b.tabTo("Give an API key instead")
	b.press(kb.Enter)
	b.press(kb.Tab)
	b.press("wrong-key" + kb.Enter)
	b.see("The key was not taken.")
	b.shot("a wrong key")
	if text := b.text(); strings.Contains(text, "wrong-key") {
		t.Errorf("the page repeats the key: %.300s", text)
	}
	b.press("test-key" + kb.Enter) // the field has the focus again
	b.see("Lever is connected")
	b.shot("linked")
}

// startWeb runs everything and returns the address of the pages.
func (c *cli) startWeb() string {
	c.t.Helper()
	c.env["LEVER_CLIENT_ID"], c.env["LEVER_CLIENT_SECRET"] = "test-client", "test-secret"
	c.env["LEVERSYNC_RATE_LIMIT"] = "1000"
	serve := c.start("serve")
	return "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
}

// magicLink makes a connector without a credential.
func (c *cli) magicLink(base string) string {
	c.t.Helper()
	created := decode[map[string]any](c.t, c.must("connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--json"))
	link := created["magic_link"].(string)
	return base + link[strings.Index(link, "/connect/"):] // the test's port is chosen by the system
}
