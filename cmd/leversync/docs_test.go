package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// A test that a page names exists, wherever in the page it is named; and so does every page that another leads to.
func TestDocsNameWhatExists(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(root, "deploy", "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	pages = append(pages, filepath.Join(root, "README.md"), filepath.Join(root, ".github", "SECURITY.md"))
	tests := testNames(t)
	test := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	named := map[string]bool{}
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range test.FindAllString(string(page), -1) {
			if named[name] = true; !tests[name] && name[0] != 'B' {
				t.Errorf("%s names %s, which there is not", filepath.Base(path), name)
			}
		}
		for _, m := range link.FindAllStringSubmatch(string(page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s leads to %s: %v", filepath.Base(path), m[1], err)
			}
		}
	}
	if !slices.Contains(test.FindAllString("as TestDocsNameWhatExists, FuzzSealed", -1), "FuzzSealed") || len(named) < 50 {
		t.Errorf("%d tests are named in all pages; want many: this test looks for the wrong thing", len(named))
	}
}
