#!/usr/bin/env bash
# Checks what deploy/ holds with the linters of its formats: deploy/lint.sh [PART…], of chart, alerts, compose, units and
# others; all of them by default. What can't be had here is skipped, and said to be. Tools in the PATH are used; those that are
# Go programs are built where they are not there (helm takes minutes of a processor), and promtool is taken out of Debian's package.
#   HELM, KUBECONFORM, PROMTOOL, COMPOSE_CHECK, GORELEASER, HADOLINT name other ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

HELM_MODULE=helm.sh/helm/v3/cmd/helm@v3.22.0
KUBECONFORM_MODULE=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
COMPOSE_MODULE=github.com/compose-spec/compose-go/v2/cmd@v2.16.2
KUBE_VERSION=1.34.1
KUBERNETES_MODULE=k8s.io/kubernetes@v$KUBE_VERSION # 18 MB; holds the schemas of all objects

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skipped=0

# skip WHAT WHY says that a check was not made.
skip() {
	echo "deploy-lint: skipped: $1: $2"
	skipped=$((skipped + 1))
}

# tool NAME MODULE prints how to run a program: the one in the PATH, or else the module's, built.
tool() {
	if command -v "$1" >/dev/null; then
		command -v "$1"
	elif (cd "$work" && GOFLAGS='' GOBIN="$work/bin/$1.d" go install "$2" >&2); then
		ls "$work/bin/$1.d/"*
	else
		return 1
	fi
}

# The chart: helm's own linter, and each object against Kubernetes' schema, strictly.
chart() {
	local helm kubeconform values=(--set existingSecret=leversync --set publicURL=https://sync.example.com)
	local all=("${values[@]}" --set ingress.enabled=true --set ingress.host=sync.example.com --set ingress.tlsSecret=tls --set serviceMonitor.enabled=true)
	helm=${HELM:-$(tool helm "$HELM_MODULE")} || { skip 'helm lint' 'there is no helm, and it can not be built'; return; }
	"$helm" lint --strict --quiet --kube-version "$KUBE_VERSION" "${values[@]}" helm/leversync
	for kind in none hpa keda; do
		"$helm" template r helm/leversync --kube-version "$KUBE_VERSION" "${all[@]}" --set autoscaling.kind="$kind" >"$work/$kind.yaml"
	done
	if "$helm" template r helm/leversync --kube-version "$KUBE_VERSION" >/dev/null 2>"$work/refusal"; then
		echo 'deploy-lint: the chart renders without existingSecret' >&2
		return 1
	fi
	grep -q 'existingSecret is not set' "$work/refusal"
	if "$helm" template r helm/leversync --kube-version "$KUBE_VERSION" --set existingSecret=leversync >/dev/null 2>"$work/refusal"; then
		echo 'deploy-lint: the chart renders without publicURL' >&2
		return 1
	fi
	grep -q 'publicURL is not set' "$work/refusal"
	"$helm" template r helm/leversync --kube-version "$KUBE_VERSION" --set existingSecret=leversync --set-string config.LEVERSYNC_ALLOW_HTTP=true >/dev/null
	# The line that deploying.md has people type, and the secret that it has them make.
	local documented key
	read -ra documented <<<"$(sed -n 's#^helm install leversync deploy/##p' docs/deploying.md)"
	"$helm" template leversync "${documented[@]}" --kube-version "$KUBE_VERSION" >"$work/documented.yaml"
	for key in $(grep -A1 -oE 'secretKeyRef:.*|key: [A-Z_]+' "$work/documented.yaml" | sed -n 's/^key: //p' | sort -u); do
		grep -q -- "--from-literal=$key=" docs/deploying.md || { echo "deploy-lint: the chart wants $key, which deploying.md does not put into the secret" >&2; return 1; }
	done
	echo 'deploy-lint: helm lint and helm template pass, and the line of deploying.md'

	local dir
	kubeconform=${KUBECONFORM:-$(tool kubeconform "$KUBECONFORM_MODULE")} || { skip kubeconform 'it can not be built'; return; }
	dir=$(cd "$work" && printf 'module x\n' >go.mod && GOFLAGS=-mod=mod go mod download -json "$KUBERNETES_MODULE" | jq -r .Dir) || { skip kubeconform 'no schemas'; return; }
	while read -r document kind; do
		jq -c --arg kind "$kind" -f schemas.jq "$dir/api/openapi-spec/v3/${document}_openapi.json" >"$work/${kind,,}-${document##*__}.json"
	done <<-KINDS
		apis__apps__v1 Deployment
		apis__batch__v1 Job
		apis__autoscaling__v2 HorizontalPodAutoscaler
		apis__policy__v1 PodDisruptionBudget
		apis__networking.k8s.io__v1 NetworkPolicy
		apis__networking.k8s.io__v1 Ingress
		api__v1 Service
	KINDS
	# KEDA's and the Prometheus operator's objects have no schema here.
	"$kubeconform" -strict -summary -skip ScaledObject,ServiceMonitor \
		-schema-location "$work/{{.ResourceKind}}-{{.ResourceAPIVersion}}.json" "$work"/{none,hpa,keda}.yaml
}

# debian_promtool prints a promtool out of Debian's package of Prometheus, which is unpacked and not installed: no service starts.
debian_promtool() {
	command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
	(mkdir "$work/prometheus" && cd "$work/prometheus" && apt-get -qq download prometheus && dpkg -x prometheus_*.deb .) >/dev/null 2>&1 || return 1
	ls "$work/prometheus/usr/bin/promtool"
}

# The alerts, by Prometheus' own tool: syntax, and when they fire.
alerts() {
	local promtool
	promtool=${PROMTOOL:-$(command -v promtool || debian_promtool)} || { skip promtool 'it is not installed (apt-get install prometheus)'; return; }
	"$promtool" check rules prometheus/alerts.yaml
	"$promtool" test rules prometheus/alerts_test.yaml
}

# compose.yaml: docker's own loader. That program takes no variables, so the secrets are put in for it.
compose() {
	local check secrets='s/\$\{[A-Z_]+:\?[^}]*\}/secret/g'
	check=${COMPOSE_CHECK:-$(tool compose-check "$COMPOSE_MODULE")} || { skip compose "its loader can not be built"; return; }
	sed -E "$secrets" compose.yaml >"$work/compose.yaml"
	(cd "$work" && "$check" compose.yaml >/dev/null)
	if "$check" compose.yaml >"$work/compose.out" 2>&1; then
		echo 'deploy-lint: compose.yaml loads without its secrets' >&2
		return 1
	fi
	grep -q 'POSTGRES_PASSWORD is missing a value: set it in deploy/.env' "$work/compose.out"
	echo 'deploy-lint: compose.yaml loads, and does not without its secrets'
}

# The units: systemd's own check, with a binary that is there in place of the installed one.
units() {
	command -v systemd-analyze >/dev/null || { skip systemd-analyze 'there is no systemd'; return; }
	mkdir "$work/units"
	local unit name
	for unit in systemd/*.service; do
		name=$(basename "$unit")
		sed "s#/usr/local/bin/leversync#/bin/true#; s#=/etc/leversync/leversync.env#=-/etc/leversync/leversync.env#" "$unit" >"$work/units/${name/@./@01.}"
	done
	systemd-analyze verify --man=no "$work"/units/*.service
	# What deploying.md has people type, into a root of its own. Nothing is started there.
	local root="$work/root"
	mkdir -p "$root"/{usr/local/bin,etc/systemd/system}
	cp /bin/true "$work/leversync"
	sed -n '/^## With systemd/,/^## Upgrade/p' docs/deploying.md | sed -n '/^```sh/,/^```$/p' | grep -v '^```' |
		sed -E "s#install -m 755 leversync#install -m 755 $work/leversync#; s# (/usr/local|/etc)/# $root\1/#g; s#systemctl daemon-reload#true#
			s#systemctl start (.*)#test -e $root/etc/systemd/system/\\1.service#; s#systemctl enable --now#systemctl --root=$root --quiet enable#" >"$work/typed"
	(cd .. && bash -euo pipefail "$work/typed" >/dev/null)
	[ "$(find "$root/etc/systemd/system/multi-user.target.wants" -type l | wc -l)" -eq 5 ] # leversync, api, scheduler, two workers
	echo 'deploy-lint: systemd units verify, and install and enable as deploying.md has it'
	systemd-analyze security --offline=true --threshold=20 --no-pager "$work"/units/*.service | grep '^→'
}

others() {
	if command -v "${HADOLINT:-hadolint}" >/dev/null; then "${HADOLINT:-hadolint}" Dockerfile; else skip hadolint 'it is not installed'; fi
	if command -v "${GORELEASER:-goreleaser}" >/dev/null; then (cd .. && "${GORELEASER:-goreleaser}" check); else skip 'goreleaser check' 'it is not installed'; fi
}

parts=("$@")
[ $# -gt 0 ] || parts=(chart alerts compose units others)
for part in "${parts[@]}"; do
	case $part in
	chart | alerts | compose | units | others) "$part" ;;
	*) echo "deploy-lint: there is no part $part" >&2; exit 2 ;;
	esac
done
echo "deploy-lint: passed, with $skipped skipped"
