package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// do runs steps; one that fails, or takes longer than stepLimit, ends the test and says on which page that was.
func (c *chromium) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		c.t.Fatalf("in the browser, %s: %v; the page is %s: %.600s", what, err, c.at(), c.text())
	}
}

// open goes to a page and waits until it has loaded.
func (c *chromium) open(url string) {
	c.t.Helper()
	c.do("open "+secretInPath.ReplaceAllString(url, "/connect/…"), chromedp.Navigate(url))
}

// click clicks, with the mouse, the one button, link or disclosure that has this text. What follows is for see to await.
func (c *chromium) click(text string) {
	c.t.Helper()
	c.do("click "+text, chromedp.Click(control(text)))
}

// control finds a control by its text, as XPath.
func control(text string) chromedp.Search {
	quoted := xpathText(text)
	return chromedp.Search(fmt.Sprintf("//button[normalize-space(.)=%[1]s] | //a[normalize-space(.)=%[1]s] | //summary[normalize-space(.)=%[1]s]"+
		" | //input[@type='submit' and @value=%[1]s]", quoted))
}

// fill types into the field with this label, as a person would.
func (c *chromium) fill(label, value string) {
	c.t.Helper()
	field := chromedp.Search(fmt.Sprintf("//*[@id=//label[normalize-space(.)=%s]/@for]", xpathText(label)))
	c.do("fill "+label, chromedp.Click(field), chromedp.SendKeys(field, value))
}

// press presses a key, such as kb.Tab or kb.Enter, on whatever has the focus.
func (c *chromium) press(key string) {
	c.t.Helper()
	c.do("press a key", chromedp.KeyEvent(key))
}

// tabTo presses Tab until the control with this text has the focus: at most 60 times.
func (c *chromium) tabTo(text string) {
	c.t.Helper()
	for range 60 {
		c.press(kb.Tab)
		if evaluate[string](c, "(document.activeElement.innerText || document.activeElement.value || '').trim()") == text {
			return
		}
	}
	c.t.Fatalf("in the browser, no %q among what Tab reaches on %s", text, c.at())
}

// see waits until the page shows this text.
func (c *chromium) see(text string) {
	c.t.Helper()
	// The innermost element that holds it: its ancestors hold it as well, and so does the head.
	where := fmt.Sprintf("//body//*[not(self::script) and contains(normalize-space(.), %[1]s) and not(*[contains(normalize-space(.), %[1]s)])]", xpathText(text))
	c.do("wait to see "+text, chromedp.WaitVisible(chromedp.Search(where)))
}

// follow clicks and waits until the page that comes shows a text.
func (c *chromium) follow(control, text string) {
	c.t.Helper()
	c.click(control)
	c.see(text)
}

// count is how many elements match a CSS selector now.
func (c *chromium) count(selector string) int {
	c.t.Helper()
	return evaluate[int](c, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// text is what the page shows now.
func (c *chromium) text() string {
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
	if err != nil {
		return err.Error()
	}
	return text
}

// at is the address of the page, without what must stay secret in it.
func (c *chromium) at() string {
	url, err := chromedp.Run(c.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return secretInPath.ReplaceAllString(url, "/connect/…")
}

// evaluate is the value of an expression in the page; a promise is awaited.
func evaluate[T any](c *chromium, expression string) T {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatalf("in the browser, %.200s: %v; the page is %s", expression, err, c.at())
	}
	return v
}

// viewport sets the size of the page, in CSS pixels: 375 wide is a telephone.
func (c *chromium) viewport(width, height int64) {
	c.t.Helper()
	c.do("set the size", chromedp.EmulateViewport(width, height))
}

// dark asks pages for their dark colours, or no more.
func (c *chromium) dark(on bool) {
	c.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	c.do("set the colour scheme", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// scripts switches JavaScript on or off for the pages that are opened from now on.
func (c *chromium) scripts(on bool) {
	c.t.Helper()
	c.do("switch scripts", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// shot keeps a screenshot of the whole page, numbered in the order of the story.
func (c *chromium) shot(name string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		c.t.Errorf("in the browser, a screenshot of %s: %v", name, err)
		return
	}
	first := c
	if c.main != nil {
		first = c.main
	}
	first.shots++
	file := fmt.Sprintf("%02d-%s.png", first.shots, strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-"))
	if err := os.WriteFile(filepath.Join(first.folder, file), png, 0o644); err != nil {
		c.t.Error(err)
	}
}

// xpathText quotes a text for XPath, which knows no escapes.
func xpathText(s string) string {
	if !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return `concat("` + strings.ReplaceAll(s, `"`, `", '"', "`) + `")`
}
