#!/usr/bin/env bash
# Makes bin/slim, by which the binary is built 5 MB smaller: deploy/slim.sh && go build -modfile=bin/slim/go.mod …
# It holds asynqmon without the source maps that it embeds, which serve only those who work on its pages, and a go.mod
# that names that copy. A plain go build makes the same program, larger.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

module=github.com/hibiken/asynqmon
go mod download $module
rm -rf bin/slim
mkdir -p bin/slim
cp -R "$(go list -m -f '{{.Dir}}' $module)" bin/slim/asynqmon
chmod -R u+w bin/slim/asynqmon # the module cache is read-only
find bin/slim/asynqmon/ui/build -name '*.map' -delete
cp go.sum bin/slim/
go mod edit -print -replace "$module=./bin/slim/asynqmon" >bin/slim/go.mod
