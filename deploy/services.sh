#!/usr/bin/env bash
# Private Postgres and Redis for one command.
#
#   deploy/services.sh run [--test | --fast] [--browser] -- COMMAND [ARGUMENT…]
#
# Starts a Postgres (14 or newer) and a Redis (6.2 or newer) of its own on free loopback ports in a
# temporary folder, runs COMMAND with DATABASE_URL and REDIS_URL set, stops both, removes the folder,
# and exits with COMMAND's exit code. Services that the system runs are neither used nor touched.
#
# The programs are those found on this machine; where one is missing it is installed with the
# system's package manager, or else run by a Docker engine that is up. It never prompts.
#
# --test is for tests and benchmarks: LEVERSYNC_TEST_DATABASE_URL, LEVERSYNC_TEST_REDIS_URL and, where
# they are there, LEVERSYNC_TEST_REDIS_SERVER (the program) and LEVERSYNC_TEST_POSTGRES_BIN (the folder of
# the programs), for tests that need a server of their own, are set as well. With --fast Postgres gives up
# durability for speed, too.
#
# --browser finds or installs a Chromium or Chrome, too, and sets LEVERSYNC_TEST_BROWSER to the program;
# where there is none it stays unset, and COMMAND decides what that means.
#
# INT, TERM and HUP are passed on to COMMAND; a second one, or 20 s, kill it. All that was started is
# stopped whatever ends this script: a watchdog does it where the script itself was killed.
set -euo pipefail

pg_image=postgres:17-alpine
redis_image=redis:7-alpine
grace_seconds=20
test="" fast="" want_browser=""
dir="" child="" own_group="" watchdog="" signalled=0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/services-find.sh
. "$here/services-find.sh"

usage() {
	echo "usage: services.sh run [--test | --fast] [--browser] -- COMMAND [ARGUMENT...]" >&2
	exit 2
}

fail() {
	printf 'services: %s\n' "$@" >&2
	exit 1
}

main() {
	[ "${1:-}" = run ] || usage
	shift
	while :; do
		case ${1:-} in
		--test) test=yes ;;
		--fast) test=yes fast=yes ;;
		--browser) want_browser=yes ;;
		*) break ;;
		esac
		shift
	done
	if [ "${1:-}" != -- ] || [ $# -lt 2 ]; then usage; fi
	shift

	trap 'on_signal INT 2' INT
	trap 'on_signal TERM 15' TERM
	trap 'on_signal HUP 1' HUP
	trap on_exit EXIT
	make_folder
	start_watchdog
	choose_programs
	choose_browser
	start_postgres
	start_redis
	export_urls
	run_command "$@"
}

# ---- the folder, and who may use it

# Postgres refuses to run as root, so root lends both servers an unprivileged user.
server_user=""
run_as=()

make_folder() {
	local parent=${TMPDIR:-/tmp}
	# Postgres's socket lives in the folder, and a socket's path has at most 103 bytes.
	if [ ${#parent} -gt 60 ]; then parent=/tmp; fi
	if [ "$(id -u)" -eq 0 ]; then choose_server_user; fi
	dir=$(mktemp -d "${parent%/}/leversync.XXXXXX")
	chmod 711 "$dir"
	mkdir -m 700 "$dir/postgres" "$dir/redis"
	install_log=$dir/install.log
	if [ -n "$server_user" ]; then chown "$server_user" "$dir/postgres" "$dir/redis"; fi
	if ! as_server test -w "$dir/redis" && [ "$parent" != /tmp ]; then # the parent is root's alone
		rm -rf "$dir"
		TMPDIR=/tmp make_folder
	fi
}

choose_server_user() {
	local user
	for user in postgres nobody; do
		if id "$user" >/dev/null 2>&1; then break; fi
	done
	server_user=$user
	if setpriv --reuid="$user" --clear-groups true 2>/dev/null; then
		run_as=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
	elif command -v runuser >/dev/null; then
		run_as=(runuser -u "$user" --)
	else
		# shellcheck disable=SC2016 # su's shell expands it
		run_as=(su -s /bin/sh -c 'exec "$@"' -- "$user" sh)
	fi
}

# as_server runs a command as the servers' user, out of reach of a Ctrl-C that arrives while they
# start, and in a folder which that user may read.
as_server() (
	trap '' INT TERM HUP
	cd "$dir" && exec 9>&-
	"${run_as[@]+"${run_as[@]}"}" "$@"
)

# ---- programs

use_docker_for_postgres="" use_docker_for_redis=""

choose_programs() {
	find_services
	if [ -z "$pg_bin" ] || [ -z "$redis_server" ]; then install_services; fi
	if [ -n "$pg_bin" ] && [ -n "$redis_server" ]; then return; fi
	if docker info >/dev/null 2>&1; then
		if [ -z "$pg_bin" ]; then use_docker_for_postgres=yes; fi
		if [ -z "$redis_server" ]; then use_docker_for_redis=yes; fi
		return
	fi
	local missing=()
	if [ -z "$pg_bin" ]; then missing+=("no Postgres $pg_minimum or newer here${pg_seen:+; too old:$pg_seen}"); fi
	if [ -z "$redis_server" ]; then missing+=("no Redis $redis_minimum or newer here${redis_seen:+; too old:$redis_seen}"); fi
	fail "${missing[@]}" "install what is missing, or start Docker, and run this again"
}

choose_browser() {
	if [ -z "$want_browser" ]; then return; fi
	find_browser
	if [ -z "$browser" ]; then install_browser; fi
	if [ -z "$browser" ]; then echo "services: no Chromium or Chrome here, and none could be installed" >&2; fi
}

# free_port prints a loopback port that nobody listens on, from below the range of outgoing
# connections. Somebody may take it before its server does: each start is tried on several.
free_port() {
	local port
	while :; do
		port=$((15000 + RANDOM % 17000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

# show_log FILE puts the end of a server's log before the reason why we give up.
show_log() {
	if [ -s "$1" ]; then tail -n 15 "$1" | sed 's/^/    /' >&2; fi
}

# ---- Postgres

pg_port=""

# pg_settings prints what our server needs beyond its defaults.
pg_settings() {
	cat <<-SETTINGS
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$dir/postgres'
		max_connections = 400
		shared_buffers = 128MB
		timezone = 'UTC'
		log_timezone = 'UTC'
	SETTINGS
	if [ -n "$fast" ]; then
		printf '%s\n' 'fsync = off' 'full_page_writes = off' 'synchronous_commit = off' \
			'max_wal_size = 4GB' 'checkpoint_timeout = 1h'
	fi
}

start_postgres() {
	if [ -n "$use_docker_for_postgres" ]; then
		docker_postgres
		return
	fi
	local data=$dir/postgres/data log=$dir/postgres/log tries
	if ! init_postgres "C.UTF-8" && ! init_postgres C; then # macOS has no C.UTF-8
		show_log "$dir/initdb.log"
		fail "initdb of $pg_bin failed"
	fi
	for tries in 1 2 3 4 5; do
		pg_port=$(free_port)
		if as_server "$pg_bin/pg_ctl" start -D "$data" -l "$log" -w -t 60 -o "-p $pg_port" >/dev/null 2>&1; then
			return
		fi
	done
	as_server cat "$log" >"$dir/postgres.log" 2>/dev/null || true
	show_log "$dir/postgres.log"
	fail "Postgres ($pg_bin) did not start in $tries tries"
}

# init_postgres LOCALE makes the cluster and, with no server up yet, its database.
init_postgres() {
	local data=$dir/postgres/data
	{
		as_server rm -rf "$data" &&
			as_server "$pg_bin/initdb" -D "$data" -U leversync -A trust --auth=trust -E UTF8 --locale="$1" --lc-collate=C --no-sync &&
			pg_settings | as_server tee -a "$data/postgresql.conf" &&
			echo "CREATE DATABASE leversync" | as_server "$pg_bin/postgres" --single -F -D "$data" postgres
	} >"$dir/initdb.log" 2>&1
}

docker_postgres() {
	local settings=(-c max_connections=400 -c shared_buffers=128MB)
	if [ -n "$fast" ]; then settings+=(-c fsync=off -c full_page_writes=off -c synchronous_commit=off); fi
	start_container postgres 5432 -e POSTGRES_USER=leversync -e POSTGRES_DB=leversync \
		-e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_INITDB_ARGS="-E UTF8 --locale=C.UTF-8 --lc-collate=C" \
		"$pg_image" postgres "${settings[@]}"
	pg_port=$container_port
	# Over TCP: while the image prepares itself it listens on its socket alone.
	container_ready postgres pg_isready -h 127.0.0.1 -U leversync
}

# ---- Redis

redis_port=""
redis_settings=(--save "" --appendonly no --maxmemory-policy noeviction)

start_redis() {
	if [ -n "$use_docker_for_redis" ]; then
		start_container redis 6379 "$redis_image" redis-server "${redis_settings[@]}"
		redis_port=$container_port
		container_ready redis redis-cli ping
		return
	fi
	local tries
	for tries in 1 2 3 4 5; do
		redis_port=$(free_port)
		as_server rm -f "$dir/redis/log"
		as_server "$redis_server" --port "$redis_port" --bind 127.0.0.1 "${redis_settings[@]}" \
			--daemonize yes --pidfile "$dir/redis/pid" --dir "$dir/redis" --logfile "$dir/redis/log" >"$dir/redis.out" 2>&1 || true
		if redis_ready; then return; fi
	done
	as_server cat "$dir/redis/log" >>"$dir/redis.out" 2>/dev/null || true
	show_log "$dir/redis.out"
	fail "Redis ($redis_server) did not start in $tries tries"
}

# redis_ready waits for our own Redis, by its log: another's could answer on the same port.
redis_ready() {
	local i
	for ((i = 0; i < 100; i++)); do
		if as_server grep -q "eady to accept connections" "$dir/redis/log" 2>/dev/null; then return 0; fi
		if as_server grep -q "Failed listening\|ould not create server" "$dir/redis/log" 2>/dev/null; then return 1; fi
		sleep 0.1
	done
	return 1
}

# ---- Docker, for what could be neither found nor installed

container_port=""

# start_container NAME PORT ARGUMENT… runs a container with PORT on a free loopback port.
start_container() {
	local name=$1 port=$2 image_arguments=("${@:3}")
	echo "services: running $name in Docker" >&2
	docker run -d --cidfile "$dir/$name.cid" -p "127.0.0.1::$port" "${image_arguments[@]}" >"$dir/$name.out" 2>&1 9>&- || {
		show_log "$dir/$name.out"
		fail "docker could not run $name"
	}
	container_port=$(docker port "$(cat "$dir/$name.cid")" "$port/tcp" | sed -n '1s/.*://p')
}

# container_ready NAME PROBE… waits up to 60 s for PROBE to succeed inside the container.
container_ready() {
	local name=$1 i
	shift
	for ((i = 0; i < 120; i++)); do
		if docker exec "$(cat "$dir/$name.cid")" "$@" >/dev/null 2>&1; then return; fi
		sleep 0.5
	done
	docker logs "$(cat "$dir/$name.cid")" >"$dir/$name.out" 2>&1 || true
	show_log "$dir/$name.out"
	fail "$name in Docker was not ready within 60 s"
}

# ---- the command

export_urls() {
	export DATABASE_URL="postgres://leversync@127.0.0.1:$pg_port/leversync?sslmode=disable"
	export REDIS_URL="redis://127.0.0.1:$redis_port/0"
	if [ -n "$browser" ]; then export LEVERSYNC_TEST_BROWSER=$browser; fi
	if [ -z "$test" ]; then return; fi
	export LEVERSYNC_TEST_DATABASE_URL=$DATABASE_URL LEVERSYNC_TEST_REDIS_URL=$REDIS_URL
	if [ -n "$pg_bin" ]; then export LEVERSYNC_TEST_POSTGRES_BIN=$pg_bin; fi
	if [ -n "$redis_server" ]; then export LEVERSYNC_TEST_REDIS_SERVER=$redis_server; fi
}

# run_command runs COMMAND to its end and exits with its code.
#
# At a terminal the command shares our process group, so that it may read from the terminal and a
# Ctrl-C reaches it directly. Elsewhere it gets a group of its own, so that a signal sent to this
# script alone can be passed on to everything the command started, once.
run_command() {
	if [ -t 0 ]; then
		(
			trap - INT QUIT
			exec "$@"
		) <&0 9>&- &
		child=$!
	else
		set -m
		(
			trap - INT QUIT
			exec "$@"
		) 9>&- &
		child=$!
		set +m
		own_group=yes
	fi
	echo "${own_group:+-}$child" >"$dir/command.pid"
	# A trapped signal ends wait early; the command's own end is the one that counts.
	local status=0 ticks=0
	wait "$child" || status=$?
	while kill -0 "$child" 2>/dev/null; do
		if ((signalled == 0)); then
			wait "$child" || status=$?
			continue
		fi
		sleep 0.1
		if ((++ticks >= grace_seconds * 10)); then signal_command KILL; fi
	done
	if ((signalled > 0)); then
		status=0
		wait "$child" || status=$?
	fi
	if [ -n "$own_group" ]; then signal_command KILL; fi # what the command left behind
	child=""
	exit "$status"
}

signal_command() {
	kill -"$1" -- "${own_group:+-}$child" 2>/dev/null || true
}

on_signal() {
	if [ -z "$child" ]; then exit $((128 + $2)); fi
	if ((++signalled > 1)); then
		signal_command KILL
	elif [ -n "$own_group" ] || [ "$1" != INT ]; then # at a terminal, Ctrl-C has reached it already
		signal_command "$1"
	fi
}

# ---- the end

on_exit() {
	local status=$?
	trap '' INT TERM HUP
	stop_services
	if [ -n "$watchdog" ]; then
		echo "done" >&9
		exec 9>&-
		wait "$watchdog" 2>/dev/null || true
	fi
	exit "$status"
}

# stop_services stops what the folder's files say was started, and removes the folder. It works from
# files alone, so that the watchdog can do it without having seen the start.
stop_services() {
	local cid
	if [ -z "$dir" ] || [ ! -d "$dir" ]; then return; fi
	for cid in "$dir"/*.cid; do
		if [ -s "$cid" ]; then docker rm -f -v "$(cat "$cid")" >/dev/null 2>&1 || true; fi
	done
	if [ -e "$dir/postgres/data/postmaster.pid" ]; then # immediate: nobody will read its files again
		as_server "$pg_bin/pg_ctl" stop -D "$dir/postgres/data" -m immediate -w -t 20 >/dev/null 2>&1 || true
	fi
	if [ -s "$dir/redis/pid" ]; then
		local pid
		pid=$(cat "$dir/redis/pid")
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -rf "$dir" 2>/dev/null || { sleep 1 && rm -rf "$dir"; }
}

# start_watchdog starts what cleans up if this script is killed. It holds the reading end of a pipe
# whose only writing end is ours, so the kernel tells it when we are gone; and it has a process group
# of its own, so that what kills our group spares it.
start_watchdog() {
	mkfifo "$dir/alive"
	set -m
	watch <"$dir/alive" >/dev/null 2>&1 &
	watchdog=$!
	set +m
	exec 9>"$dir/alive"
}

watch() {
	trap '' INT TERM HUP
	trap - EXIT
	local word="" command
	read -r word || true
	if [ "$word" = "done" ]; then exit 0; fi
	find_services
	if [ -s "$dir/command.pid" ]; then
		command=$(cat "$dir/command.pid")
		kill -TERM -- "$command" 2>/dev/null || true
		local i
		for ((i = 0; i < 50; i++)); do
			kill -0 -- "$command" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "$command" 2>/dev/null || true
	fi
	stop_services
}

main "$@"
