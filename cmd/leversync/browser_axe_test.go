package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// The rules of accessibility that pages are held to: axe-core, as its makers publish it on npm.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==" // SHA-512, as npm has it
)

// axe is the library's source, fetched once for each machine.
var axe = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "leversync-tests")
	archive := filepath.Join(folder, "axe-core-"+axeVersion+".tgz")
	if source, err := unpackAxe(archive); err == nil {
		return source, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	out, err := exec.Command("npm", "pack", "--silent", "--pack-destination", folder, "axe-core@"+axeVersion).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("npm pack axe-core: %w: %.300s", err, out)
	}
	return unpackAxe(archive)
})

func unpackAxe(archive string) (string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != axeIntegrity {
		return "", fmt.Errorf("%s has the SHA-512 %s, want %s", archive, got, axeIntegrity)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("no package/axe.min.js in " + archive)
		}
		if err != nil {
			return "", err
		}
		if h.Name == "package/axe.min.js" {
			b, err := io.ReadAll(r)
			return string(b), err
		}
	}
}

// accessible holds the page, as it is now, to WCAG 2.2 at level AA and to axe's best practices.
func (c *chromium) accessible() {
	c.t.Helper()
	source, err := axe()
	if err != nil {
		lacks(c.t, fmt.Sprintf("no accessibility rules (they take npm): %v", err))
	}
	evaluate[bool](c, source+"\n;true")
	report := evaluate[string](c, `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => JSON.stringify({rules: r.passes.length, violations: r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))}))`)
	var found struct {
		Rules      int
		Violations []struct {
			ID, Help string
			Nodes    []string
		}
	}
	if err := json.Unmarshal([]byte(report), &found); err != nil {
		c.t.Fatal(err)
	}
	if found.Rules == 0 {
		c.t.Errorf("axe found nothing to check on %s", c.at())
	}
	for _, v := range found.Violations {
		c.t.Errorf("%s breaks %s (%s): %.1000q", c.at(), v.ID, v.Help, v.Nodes)
	}
}
