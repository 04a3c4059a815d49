# Everything here runs without a terminal, asks nothing, and needs no variable set.
#
# Variables: VERSION (what `leversync version` prints), BIN (what build makes), DEMO_FLAGS and KEEP=1 (for demo),
# TEST_FLAGS and PKG (for test, such as TEST_FLAGS='-run TestClaim' PKG=./store), FUZZTIME (for fuzz),
# SOAK (for soak), COUNT (for flakes), PARALLEL (tests of a package at once: most of them wait, so more than processors).

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GITLEAKS    := github.com/zricethezav/gitleaks/v8@v8.30.1
CYCLONEDX   := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
BIN         ?= bin/leversync
SBOM        ?= bin/leversync.cdx.json
PKG         ?= ./...
TEST_FLAGS  ?=
DEMO_FLAGS  ?=
FUZZTIME    ?= 30s
SOAK        ?= 30m
COUNT       ?= 20
PARALLEL    ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n > 3 ? n : 3)))

# KEEP=1 leaves the demo up until it is interrupted.
ifneq ($(filter-out 0 no false,$(KEEP)),)
DEMO_FLAGS  += --keep
endif

.PHONY: help build test bench bench-compare fuzz nemesis soak flakes mutants demo lint deploy-lint vuln fmt clean secrets sbom screenshots

help: ## list what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do printf '  make %-13s %s\n' "$$name" "$$does"; done

build: bin/slim/go.mod ## build bin/leversync
	CGO_ENABLED=0 $(GO) build -modfile=$< -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/leversync

bin/slim/go.mod: go.mod go.sum deploy/slim.sh
	@deploy/slim.sh

test: ## run all tests, races watched, on a Postgres and a Redis started for them, and a Chromium
	deploy/services.sh run --fast --browser -- $(GO) test -race -shuffle=on -timeout 15m -parallel $(PARALLEL) $(TEST_FLAGS) $(PKG)

fuzz: ## run each fuzz target for FUZZTIME (30s)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

nemesis: ## kill, freeze, cut off, flush, and lie to it for twenty minutes (LEVERSYNC_NEMESIS_SEED=1 repeats)
	LEVERSYNC_NEMESIS=1 deploy/services.sh run --fast -- $(GO) test ./worker ./store -count=1 -timeout 60m -parallel 4 -v \
		-run '^(TestNemesis.*|TestACrash.*|TestARevoked.*|TestKilledWorkers.*|TestAFrozenWorker.*|TestAFlushedRedis.*|TestARedisThat.*|TestCutConnections.*|TestAPostgresThat.*|TestInterrupted.*|TestARest.*|TestAFullDisk.*|TestAKilled.*|TestAFrozenAPI.*|TestLeversClock.*|TestAProcessClock.*|TestAStorm.*|TestAPromoted.*|TestSIGTERM.*|TestASyncSurvives.*|TestResealWhile.*)$$' \
		| grep -vE '^(=== |time=| +[a-z_]+_test.go:[0-9]+: (services|Lever|hour))'

soak: ## let things go wrong for SOAK (30m), and see that nothing grows (LEVERSYNC_NEMESIS_SEED=1 repeats)
	LEVERSYNC_SOAK=$(SOAK) deploy/services.sh run --fast -- $(GO) test ./worker -count=1 -timeout 48h -v -run '^TestSoak$$' | grep -vE '^(=== |time=)'

flakes: ## run the tests of PKG (all of them: hours) COUNT (20) times in new orders, and count what fails
	PKG='$(PKG)' COUNT=$(COUNT) TEST_FLAGS='$(TEST_FLAGS)' BROWSER=1 .ci/flakes

bench: ## measure it beside its limits: a table, and JSON in BENCH_OUT (STEPS='Budget List' for some)
	@deploy/services.sh run --test -- $(GO) run ./cmd/leversync/internal/bench run $(STEPS)

bench-compare: ## print two results of bench side by side: OLD=a.json NEW=b.json
	@$(GO) run ./cmd/leversync/internal/bench compare $(OLD) $(NEW)

mutants: ## take each safeguard out of a copy of the tree, and see a test fail
	deploy/services.sh run --fast -- .ci/mutants

demo: build ## sync a simulated Lever account into a Postgres started for it (KEEP=1 leaves it up)
	deploy/services.sh run -- $(BIN) demo $(DEMO_FLAGS)

lint: ## check formatting, go vet, staticcheck, and shellcheck where it is installed
	@unformatted=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l); \
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt):\n%s\n' "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags noasynqmon ./cmd/leversync
	$(GO) run $(STATICCHECK) -checks inherit,ST1000,ST1016,ST1020,ST1021,ST1022 ./...
	@if command -v shellcheck >/dev/null; then shellcheck -x -P deploy -S warning deploy/*.sh .ci/*; \
	else echo 'lint: no shellcheck here: the shell scripts were not checked'; fi

deploy-lint: ## check what deploy/ holds: chart, alerts, compose.yaml, units, with what there is of their linters (PARTS='alerts units' for some)
	@deploy/lint.sh $(PARTS)

vuln: ## look for known vulnerabilities in what is called
	@GO='$(GO)' .ci/vuln $(GOVULNCHECK)

secrets: ## look for credentials in what is under version control
	@if ! $(GO) run $(GITLEAKS) version >/dev/null 2>&1; then echo 'secrets: skipped: gitleaks cannot be had or built here'; exit 0; fi; \
	tree=$$(mktemp -d); trap 'rm -rf "$$tree"' EXIT; \
	git ls-files -z --cached --others --exclude-standard | xargs -0 tar -c --null -f - | tar -x -C "$$tree"; \
	$(GO) run $(GITLEAKS) dir "$$tree" --config .gitleaks.toml --no-banner --redact --log-level warn -v && echo 'secrets: none found'

sbom: ## write SBOM (bin/leversync.cdx.json): what the binary is made of (CycloneDX)
	@mkdir -p $(dir $(SBOM)) && $(GO) run $(CYCLONEDX) app -json -licenses -main cmd/leversync -output $(SBOM) . && \
	printf 'sbom: $(SBOM): %s components\n' "$$(grep -c '"bom-ref"' $(SBOM))"

screenshots: ## take the README's pictures, and every page in bin/screenshots: light, dark, wide, narrow
	LEVERSYNC_TEST_SCREENSHOTS=$(CURDIR)/.github/screenshots LEVERSYNC_TEST_GALLERY=$(CURDIR)/bin/screenshots deploy/services.sh run --fast --browser -- \
		$(GO) test ./cmd/leversync -run '^Test(Screenshots|Gallery)$$' -count=1

fmt: ## format the Go code
	gofmt -w cmd lever scheduler store worker

clean: ## remove what was built
	rm -rf bin
