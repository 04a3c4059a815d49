package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
)

// exampleSection is a question as the README shows it.
func exampleSection(ex store.Example) string {
	return fmt.Sprintf("%s\n\n```sql\n%s;\n```\n", ex.Question, strings.ReplaceAll(ex.SQL, "$1", ":'connector'"))
}

// The README's queries are those that the demo asks, and its commands are those there are.
func TestReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	for _, ex := range store.Examples {
		if !strings.Contains(readme, exampleSection(ex)) {
			t.Errorf("README.md lacks the example %s as it is now; put this there:\n%s", ex.Name, exampleSection(ex))
		}
	}
	for _, c := range (&app{getenv: os.Getenv}).root().Commands() {
		if c.Name() != "help" && !strings.Contains(readme, c.Name()) {
			t.Errorf("README.md does not mention the command %s", c.Name())
		}
	}
	if n := strings.Count(readme, "\n"); n > 250 {
		t.Errorf("README.md has %d lines; keep it to 250", n)
	}
}
