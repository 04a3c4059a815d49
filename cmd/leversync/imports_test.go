package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The folder and the path of the module.
const (
	root   = "../.."
	module = "github.com/leversync/leversync"
)

// command is the folder of the one binary: it may import everything, and nothing imports it.
const command = "cmd/leversync"

// mayImport is the import table: what a package may import of ours. A package that is not in it may
// import nothing of ours. Test files are exempt.
var mayImport = map[string][]string{
	"lever":           nil,
	"lever/levertest": {"lever"},
	"store":           {"store/unified"},
	"store/storetest": {"store", "store/unified"},
	"store/unified":   nil,
	"worker":          {"lever", "store", "store/unified", "worker/mapping", "worker/task"},
	"worker/mapping":  {"lever", "store/unified"},
	"worker/task":     nil,
	"scheduler":       {"store", "worker/task"},

	command + "/internal/api":       {"lever", "store", "store/unified", "worker/task"},
	command + "/internal/config":    {"store", "store/unified", "worker/task"},
	command + "/internal/connect":   {"lever", "store", "store/unified", "worker/task"},
	command + "/internal/dashboard": {"store", "store/unified", "worker/task"},
}

// ownedBy says who may import a module of others; "store/..." is store and all below it.
var ownedBy = map[string][]string{
	"github.com/jackc/pgx":     {"store/..."},
	"github.com/hibiken/asynq": {"worker", "worker/task", "scheduler", command},
}

// topLevel is all that the repository holds at its top, beside dotfiles.
var topLevel = []string{
	"LICENSE", "Makefile", "README.md", "cmd", "deploy", "go.mod", "go.sum", "lever", "scheduler", "store", "worker",
}

// pkg is a package as go list prints it.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	pkgs := list(t)
	if len(pkgs) == 0 {
		t.Fatal("go list ./... names no package")
	}
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
}

// list is every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	return pkgs
}

// violations names each import that the table forbids.
func violations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		importer := ours(p.ImportPath)
		for _, path := range p.Imports {
			if why := forbidden(importer, path); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", importer, path, why))
			}
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if !within(importer, command) && within(ours(path), "cmd") {
				out = append(out, fmt.Sprintf("a test of %s imports %s: nothing imports cmd", importer, path))
			}
		}
	}
	return out
}

// forbidden says why a package of ours may not import a path; "" where it may.
func forbidden(importer, path string) string {
	for prefix, owners := range ownedBy {
		if within(path, prefix) && !slices.ContainsFunc(owners, func(o string) bool { return matches(importer, o) }) {
			return "only " + strings.Join(owners, ", ") + " may"
		}
	}
	imported := ours(path)
	switch {
	case imported == "" || importer == command && imported != command:
		return ""
	case imported == command:
		return "nothing may"
	case !slices.Contains(mayImport[importer], imported):
		return fmt.Sprintf("of ours it may import %q", mayImport[importer])
	}
	return ""
}

// ours is the path of a package below the module; "" for one of others.
func ours(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return rest
}

// within tells whether a path is dir, or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// matches tells whether a package is what a pattern names: itself or, with "/...", what is below it too.
func matches(path, pattern string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(path, dir)
	}
	return path == pattern
}

// The check itself is checked: a table that forbids nothing would pass for ever.
func TestViolations(t *testing.T) {
	t.Parallel()
	const asynq, pgx = "github.com/hibiken/asynq", "github.com/jackc/pgx/v5/pgxpool"
	tests := []struct {
		importer, imported string
		test, allowed      bool
	}{
		{importer: "worker", imported: module + "/store", allowed: true},
		{importer: "worker", imported: "log/slog", allowed: true},
		{importer: "worker", imported: asynq, allowed: true},
		{importer: "store", imported: pgx, allowed: true},
		{importer: "store/storetest", imported: pgx, allowed: true},
		{importer: command, imported: asynq, allowed: true},
		{importer: command, imported: module + "/lever/levertest", allowed: true},
		{importer: command, imported: module + "/" + command + "/internal/api", allowed: true},
		{importer: command + "/internal/connect", imported: module + "/lever", allowed: true},
		{importer: "scheduler", imported: module + "/lever/levertest", test: true, allowed: true},
		{importer: command, imported: module + "/" + command, test: true, allowed: true},

		{importer: "store", imported: module + "/worker"},
		{importer: "store", imported: module + "/lever"},
		{importer: "lever", imported: module + "/store/unified"},
		{importer: "lever", imported: pgx},
		{importer: "store/unified", imported: module + "/store"},
		{importer: "storehouse", imported: pgx},
		{importer: "worker", imported: pgx},
		{importer: "worker/mapping", imported: module + "/store"},
		{importer: "worker/mapping", imported: asynq},
		{importer: "worker/task", imported: module + "/store/unified"},
		{importer: "scheduler", imported: module + "/worker"},
		{importer: "scheduler", imported: module + "/lever"},
		{importer: "scheduler", imported: module + "/" + command + "/internal/config"},
		{importer: "scheduler", imported: module + "/" + command + "/internal/config", test: true},
		{importer: command + "/internal/dashboard", imported: module + "/lever"},
		{importer: command + "/internal/dashboard", imported: module + "/" + command},
		{importer: command + "/internal/api", imported: asynq},
		{importer: command, imported: pgx},
		{importer: "deploy/new", imported: module + "/store"},
	}
	for _, tt := range tests {
		p := pkg{ImportPath: module + "/" + tt.importer}
		if tt.test {
			p.XTestImports = []string{tt.imported}
		} else {
			p.Imports = []string{tt.imported}
		}
		if got := violations([]pkg{p}); (len(got) == 0) != tt.allowed {
			t.Errorf("violations(%s imports %s, in a test: %t) = %q; want allowed: %t", tt.importer, tt.imported, tt.test, got, tt.allowed)
		}
	}
}

// The fake Lever is part of the binary, so it may not register the flags of package testing.
func TestNoTestingInBinary(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if ours(p.ImportPath) != "store/storetest" && slices.Contains(p.Imports, "testing") {
			t.Errorf("%s imports testing outside of its tests", p.ImportPath)
		}
	}
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	for _, name := range top(t) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s is at the top of the repository, which holds %q and dotfiles alone", name, topLevel)
		}
	}
}

// top is what lies at the top of the repository and is not ignored.
func top(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("this is no git checkout: git ls-files: %v", err)
	}
	var names []string
	for _, path := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		name, _, _ := strings.Cut(path, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
