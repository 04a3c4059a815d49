package main

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A package that starts a goroutine looks for those that its tests leave behind, when they have ended.
func TestLeaksAreLookedFor(t *testing.T) {
	t.Parallel()
	starts := map[string]bool{}
	eachGoFile(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" {
					starts[filepath.Dir(path)] = true
				}
			}
			if _, ok := node.(*ast.GoStmt); ok {
				starts[filepath.Dir(path)] = true
			}
			return true
		})
	})
	if len(starts) < 6 {
		t.Errorf("%d packages start goroutines: this test looks for the wrong thing", len(starts))
	}
	for dir := range starts {
		tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		looks := false
		for _, name := range tests {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			looks = looks || strings.Contains(string(b), "goleak.VerifyTestMain(m") || strings.Contains(string(b), "storetest.Main(m")
		}
		if !looks {
			t.Errorf("%s starts goroutines, and no TestMain of it looks for leaks", dir)
		}
	}
}
