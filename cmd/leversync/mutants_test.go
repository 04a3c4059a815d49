package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Each mutant can still be taken from the tree: one whose patch does not apply shows nothing (make mutants).
func TestMutantsApply(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob(filepath.Join(root, "worker", "testdata", "mutants", "*.patch"))
	if err != nil || len(patches) != 5 {
		t.Fatalf("%d patches, %v; want 5", len(patches), err)
	}
	for _, p := range patches {
		name, err := filepath.Rel(root, p)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "apply", "--check", name)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
