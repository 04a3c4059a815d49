package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leversync/leversync/store/unified"
)

// Each promise names the tests that hold it, and each of these exists.
func TestGuaranteesAreHeld(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "deploy", "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## What is not promised") {
			break
		}
		promise, names, held := strings.Cut(line, " [")
		if strings.HasPrefix(line, "- ") && !held {
			t.Errorf("no test is named for: %s", line)
		}
		if !held {
			continue
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(names, "]"), ", ") {
			if !tests[name] {
				t.Errorf("there is no test %q, which is to hold: %s", name, promise)
			}
		}
	}
}

// The page says of each table what it owns; those of the records go by one row.
func TestGuaranteesNameTheTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "deploy", "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]bool{}
	for _, sc := range unified.Scopes {
		records[sc.Table()] = true
	}
	migrations, err := filepath.Glob(filepath.Join(root, "store", "migrations", "*.sql"))
	if err != nil || len(migrations) == 0 {
		t.Fatalf("%d migrations, %v", len(migrations), err)
	}
	made := regexp.MustCompile(`(?m)^CREATE (?:UNLOGGED )?TABLE (\w+) \(`)
	for _, path := range migrations {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made.FindAllSubmatch(b, -1) {
			if table := string(m[1]); !records[table] && !regexp.MustCompile(`(?m)^\|[^|]*\b`+table+`\b`).Match(page) {
				t.Errorf("guarantees.md does not say what the table %s owns", table)
			}
		}
	}
}

// testNames are the names of all tests and fuzz targets of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, dir := range []string{"cmd", "lever", "scheduler", "store", "worker"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range declared.FindAllSubmatch(b, -1) {
				names[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}
