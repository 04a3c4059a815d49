package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

const deployDir = "../../deploy"

func readDeploy(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deployDir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readYAML[T any](t *testing.T, path string) T {
	t.Helper()
	var v T
	if err := yaml.Unmarshal([]byte(readDeploy(t, path)), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// deployFiles are the files below deploy/ whose names end in one of the suffixes.
func deployFiles(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(deployDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(path, s) }) {
			path, err = filepath.Rel(deployDir, path)
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v below deploy/: %d, %v", suffixes, len(files), err)
	}
	return files
}

var variableName = regexp.MustCompile(`\b(LEVERSYNC_[A-Z_]+|LEVER_[A-Z_]+|DATABASE_URL|REDIS_URL)\b`)

// Every variable that is set or named in deploy/ is one that the configuration reads.
func TestDeployVariables(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"LEVERSYNC_VERSION": true} // the image's tag, in compose.yaml
	for _, v := range config.Vars() {
		known[v.Name] = true
		known[v.Name+"_FILE"] = v.Secret
	}
	for _, path := range append(deployFiles(t, ".yaml", ".yml", ".service", ".example", ".tpl", ".txt", ".md", "Dockerfile"), "../.goreleaser.yaml") {
		for _, name := range variableName.FindAllString(readDeploy(t, path), -1) {
			if !known[name] && !strings.HasPrefix(name, "LEVERSYNC_TEST_") && !strings.HasPrefix(name, "LEVERSYNC_BENCH_") && !strings.HasSuffix(name, "_") {
				t.Errorf("deploy/%s names %s, which the configuration does not read", path, name)
			}
		}
	}
}

func TestDeployYAMLParses(t *testing.T) {
	t.Parallel()
	for _, path := range append(deployFiles(t, ".yaml"), "../.goreleaser.yaml") {
		if strings.Contains(path, "templates") { // helm's
			continue
		}
		dec := yaml.NewDecoder(strings.NewReader(readDeploy(t, path)))
		for n := 0; ; n++ {
			var v map[string]any
			if err := dec.Decode(&v); errors.Is(err, io.EOF) && n > 0 {
				break
			} else if err != nil || len(v) == 0 {
				t.Errorf("deploy/%s: %d keys, %v; want YAML that says something", path, len(v), err)
				break
			}
		}
	}
}

type composeFile struct {
	Services map[string]struct {
		Image       string
		User        string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Command     any
		Ports       []string
		Environment map[string]string
		Healthcheck map[string]any
		Volumes     []string
		Profiles    []string
	}
}

// Every container drops what it can; ours are read-only and not root; every image is pinned, every port this machine's alone.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := readYAML[composeFile](t, "compose.yaml")
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`)
	for name, s := range c.Services {
		if !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("compose.yaml: %s keeps privileges: cap_drop %v, security_opt %v", name, s.CapDrop, s.SecurityOpt)
		}
		if !strings.HasPrefix(s.Image, "leversync:") && !pinned.MatchString(s.Image) {
			t.Errorf("compose.yaml: image %s of %s is not pinned to a version", s.Image, name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("compose.yaml: %s opens %s to everybody", name, p)
			}
		}
		for _, v := range s.Volumes {
			if path, _, _ := strings.Cut(v, ":"); strings.HasPrefix(path, "./") {
				if _, err := os.Stat(filepath.Join(deployDir, path)); err != nil {
					t.Errorf("compose.yaml: %s mounts %s, which is not there", name, path)
				}
			}
		}
	}
	for name, command := range map[string]string{"api": "api", "scheduler": "scheduler", "worker": "worker", "migrate": "migrate"} {
		s := c.Services[name]
		if args, ok := s.Command.([]any); !ok || len(args) != 1 || args[0] != command || !s.ReadOnly || s.User != "65532:65532" || len(s.Healthcheck) == 0 {
			t.Errorf("compose.yaml: %s: command %v, read_only %t, user %q, healthcheck %v; want it alone, read-only, 65532, checked", name, s.Command, s.ReadOnly, s.User, s.Healthcheck)
		}
		for _, v := range config.Vars() {
			if v.Secret && strings.Contains(s.Environment[v.Name], ":-") && !strings.HasSuffix(s.Environment[v.Name], ":-}") {
				t.Errorf("compose.yaml: %s has a default for the secret %s", name, v.Name)
			}
		}
	}
	if redis, ok := c.Services["redis"].Command.([]any); !ok || !strings.Contains(redis[len(redis)-1].(string), "--maxmemory-policy noeviction") {
		t.Errorf("compose.yaml: Redis' command is %v, without noeviction: it would forget tasks", c.Services["redis"].Command)
	}
}

// The lines of deploying.md for Docker Compose name files, services, profiles and a program that there are.
func TestDocumentedCompose(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(deployDir, "docs", "deploying.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := readYAML[composeFile](t, "compose.yaml")
	profiles := map[string]bool{}
	for _, s := range c.Services {
		for _, p := range s.Profiles {
			profiles[p] = true
		}
	}
	lines := regexp.MustCompile(`(?m)^(?:docker compose|cp) .*`).FindAllString(string(page), -1)
	for _, line := range lines {
		for _, path := range regexp.MustCompile(`deploy/[a-z.]+\.(?:yaml|example)`).FindAllString(line, -1) {
			if _, err := os.Stat(filepath.Join(deployDir, "..", path)); err != nil {
				t.Errorf("deploying.md: %s: %v", line, err)
			}
		}
		for expr, known := range map[string]func(string) bool{
			`--profile (\S+)`: func(p string) bool { return profiles[p] },
			`--scale (\w+)=`:  func(s string) bool { return c.Services[s].Image != "" && len(c.Services[s].Ports) == 0 },
			` exec (\w+)`:     func(s string) bool { return c.Services[s].Image != "" },
			` exec \w+ (\S+)`: func(p string) bool { return p == "/leversync" },
		} {
			if m := regexp.MustCompile(expr).FindStringSubmatch(line); m != nil && !known(m[1]) {
				t.Errorf("deploying.md: %s: compose.yaml has no such %s", line, m[1])
			}
		}
	}
	if len(lines) < 5 {
		t.Errorf("deploying.md has %d lines for Docker Compose: the search finds too few", len(lines))
	}
}

// Image, compose.yaml, chart and Prometheus agree on the ports.
func TestDeployPorts(t *testing.T) {
	t.Parallel()
	for path, wants := range map[string][]string{
		"Dockerfile":                            {"LEVERSYNC_ADDR=:8080", "LEVERSYNC_METRICS_ADDR=:9090", "EXPOSE 8080 9090", "USER 65532:65532", `"/leversync", "healthcheck"`},
		"compose.yaml":                          {`LEVERSYNC_ADDR: ":8080"`, `LEVERSYNC_METRICS_ADDR: ":9090"`, "127.0.0.1:8080:8080"},
		"prometheus/prometheus.yaml":            {"port: 9090", "[api, scheduler, worker]"},
		"helm/leversync/templates/_helpers.tpl": {`LEVERSYNC_ADDR, value: ":8080"`, `LEVERSYNC_METRICS_ADDR, value: ":9090"`},
		"helm/leversync/templates/deployments.yaml": {"name: http, containerPort: 8080", "name: metrics, containerPort: 9090",
			`"leversync.podSecurity"`, `"leversync.security"`, "automountServiceAccountToken: false"},
		"helm/leversync/templates/migrate.yaml": {`"leversync.podSecurity"`, `"leversync.security"`, "helm.sh/hook: pre-install,pre-upgrade"},
	} {
		text := readDeploy(t, path)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("deploy/%s lacks %s", path, want)
			}
		}
	}
}

// The image is built by the Go that go.mod asks for.
func TestDockerfileGo(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^toolchain go(\S+)`).FindStringSubmatch(string(b))[1]
	if want := "FROM golang:" + version + "-"; !strings.Contains(readDeploy(t, "Dockerfile"), want) {
		t.Errorf("deploy/Dockerfile lacks %s: go.mod has toolchain go%s", want, version)
	}
}

// The image and the released binaries are built as make build does, without asynqmon's source maps.
func TestDeploySlim(t *testing.T) {
	t.Parallel()
	for path, wants := range map[string][]string{
		"Dockerfile":          {"COPY deploy/slim.sh deploy/", "RUN deploy/slim.sh && CGO_ENABLED=0 go build -modfile=bin/slim/go.mod -trimpath"},
		"../.dockerignore":    {"!deploy/slim.sh"},
		"../.goreleaser.yaml": {"hooks: [deploy/slim.sh]", "flags: [-trimpath, -modfile=bin/slim/go.mod]"},
		"../Makefile":         {"build: bin/slim/go.mod", "@deploy/slim.sh", "go.mod go.sum deploy/slim.sh"},
	} {
		for _, want := range wants {
			if !strings.Contains(readDeploy(t, path), want) {
				t.Errorf("deploy/%s lacks %s", path, want)
			}
		}
	}
}

func TestHelmValues(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(readDeploy(t, "helm/leversync/values.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.schema.json", schema); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		change func(map[string]any)
		good   bool
	}{
		{func(map[string]any) {}, true},
		{func(v map[string]any) { v["config"] = map[string]any{"LEVERSYNC_RATE_LIMIT": "5"} }, true},
		{func(v map[string]any) { v["config"] = map[string]any{"LEVERSYNC_ENCRYPTION_KEY": "x"} }, false}, // secrets have their Secret
		{func(v map[string]any) { v["config"] = map[string]any{"LEVERSYNC_RATE_LIMIT": 5} }, false},
		{func(v map[string]any) { v["worker"].(map[string]any)["goMemLimit"] = "400MiB" }, true},
		{func(v map[string]any) { v["worker"].(map[string]any)["goMemLimit"] = "400Mi" }, false}, // Go's units
		{func(v map[string]any) { v["wroker"] = map[string]any{} }, false},
		{func(v map[string]any) { v["worker"].(map[string]any)["replicas"] = -1 }, false},
		{func(v map[string]any) { v["autoscaling"].(map[string]any)["kind"] = "vpa" }, false},
	} {
		values := readYAML[map[string]any](t, "helm/leversync/values.yaml")
		tt.change(values)
		b, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != tt.good {
			t.Errorf("values.schema.json on %s: %v; want good: %t", b, err, tt.good)
		}
	}
}

type alertFile struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

var (
	metricName = regexp.MustCompile(`\bleversync_\w+`)
	anchor     = regexp.MustCompile(`(?m)^## (\w+)$`)
)

// series are the names of our series, as they are documented; TestWhatIsShownOfASync holds those to what is exported.
func series(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, n := range documented(t) {
		names[n] = true
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			names[n+suffix] = strings.HasSuffix(n, "_duration_seconds")
		}
	}
	return names
}

// Each alert is about metrics that exist, and has its section in the runbook; and no section is about nothing.
func TestAlerts(t *testing.T) {
	t.Parallel()
	names, sections := series(t), map[string]bool{}
	for _, m := range anchor.FindAllStringSubmatch(readDeploy(t, "docs/runbook.md"), -1) {
		sections[m[1]] = true
	}
	alerts := 0
	for _, g := range readYAML[alertFile](t, "prometheus/alerts.yaml").Groups {
		for _, r := range g.Rules {
			alerts++
			for _, n := range metricName.FindAllString(r.Expr, -1) {
				if !names[n] {
					t.Errorf("%s asks for %s, which is not exported", r.Alert, n)
				}
			}
			_, at, _ := strings.Cut(r.Annotations["runbook_url"], "#")
			if at != strings.ToLower(r.Alert) || !sections[r.Alert] {
				t.Errorf("%s: runbook_url ends in #%s, want #%s, a section of runbook.md", r.Alert, at, strings.ToLower(r.Alert))
			}
			if r.Annotations["summary"] == "" || !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("%s: summary %q, severity %q; want both", r.Alert, r.Annotations["summary"], r.Labels["severity"])
			}
		}
	}
	if alerts < 8 || alerts != len(sections) {
		t.Errorf("%d alerts and %d sections in the runbook; want one for each, and 8 at least", alerts, len(sections))
	}
}

type grafanaBoard struct {
	UID        string
	Panels     []struct{ Targets []struct{ Expr string } }
	Templating struct {
		List []struct{ Query any }
	}
}

// The dashboards ask for metrics that exist, and together for all of ours but the build's.
func TestDashboards(t *testing.T) {
	t.Parallel()
	names, asked := series(t), map[string]bool{}
	uids := map[string]bool{}
	for _, path := range deployFiles(t, ".json") {
		if !strings.HasPrefix(path, "grafana/") {
			continue
		}
		var d grafanaBoard
		if err := json.Unmarshal([]byte(readDeploy(t, path)), &d); err != nil || d.UID == "" || uids[d.UID] {
			t.Errorf("deploy/%s: uid %q, %v; want JSON, with a uid of its own", path, d.UID, err)
		}
		uids[d.UID] = true
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, n := range metricName.FindAllString(target.Expr, -1) {
					asked[n] = true
					if !names[n] {
						t.Errorf("deploy/%s asks for %s, which is not exported", path, n)
					}
				}
			}
		}
	}
	for _, n := range documented(t) {
		if !asked[n] && !asked[n+"_bucket"] && n != "leversync_standing_up" && n != "leversync_scopes" && n != "leversync_quarantined" &&
			n != "leversync_reconciler_last_success_timestamp_seconds" {
			t.Errorf("no dashboard shows %s", n)
		}
	}
}
