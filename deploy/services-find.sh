# shellcheck shell=bash
# Finding Postgres, Redis and Chromium on this machine, or installing them. Sourced by services.sh.
#
#   find_services   sets pg_bin (the folder of initdb, pg_ctl and postgres) and redis_server (a
#                   program); each stays empty where nothing new enough was found, and then
#                   pg_seen and redis_seen name the too old versions that were.
#   install_services
#                   installs what find_services left empty with the system's package manager, and
#                   looks again. It never prompts, never starts a system service, and returns
#                   quietly where there is no package manager or no right to use it.
#   find_browser, install_browser
#                   the same for a Chromium or Chrome that can be run without a screen: they set
#                   browser (a program), or leave it empty.
#
# Written for bash 3.2, which is what macOS has.

pg_minimum=14
redis_minimum="6.2"
pg_bin="" pg_seen=""
redis_server="" redis_seen=""
browser=""
install_log=/dev/null # a file for the package manager's output; services.sh sets it

# pg_folders prints where a Postgres may be: first the PATH's, then by version, newest first.
pg_folders() {
	local found folder
	if found=$(command -v initdb); then dirname "$found"; fi
	for folder in /usr/lib/postgresql/*/bin /usr/libexec/postgresql*/ /usr/pgsql-*/bin \
		/usr/local/*/bin /usr/local/opt/postgresql*/bin /opt/homebrew/opt/postgresql*/bin \
		/opt/homebrew/bin /home/linuxbrew/.linuxbrew/opt/postgresql*/bin /usr/local/bin; do
		echo "${folder%/}"
	done | sort -rV
}

# pg_major FOLDER prints the major version of the postgres there, or nothing.
pg_major() {
	"$1/postgres" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\).*/\1/p'
}

find_postgres() {
	local folder major
	while read -r folder; do
		if [ ! -x "$folder/initdb" ] || [ ! -x "$folder/pg_ctl" ]; then continue; fi
		major=$(pg_major "$folder")
		[ -n "$major" ] || continue
		if [ "$major" -ge "$pg_minimum" ]; then
			pg_bin=$folder
			return
		fi
		pg_seen="$pg_seen $major ($folder)"
	done < <(pg_folders)
}

# version_at_least HAVE WANT compares major.minor.
version_at_least() {
	local have_major=${1%%.*} have_minor want_major=${2%%.*} want_minor=${2#*.}
	have_minor=${1#*.}
	have_minor=${have_minor%%.*}
	[ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# Valkey is Redis 7.2 under another name, and the only one of the two in some distributions.
find_redis() {
	local name folder version
	for name in redis-server valkey-server; do
		for folder in "$(dirname "$(command -v "$name" || echo /usr/bin/none)")" /usr/bin /usr/local/*/bin \
			/usr/local/bin /opt/homebrew/bin /opt/homebrew/opt/*/bin /home/linuxbrew/.linuxbrew/bin; do
			[ -x "$folder/$name" ] || continue
			version=$("$folder/$name" --version 2>/dev/null | sed -n 's/.*v=\([0-9][0-9.]*\).*/\1/p')
			[ -n "$version" ] || continue
			if version_at_least "$version" "$redis_minimum"; then
				redis_server=$folder/$name
				return
			fi
			redis_seen="$redis_seen $version ($folder/$name)"
		done
	done
}

find_services() {
	pg_seen="" redis_seen=""
	if [ -z "$pg_bin" ]; then find_postgres; fi
	if [ -z "$redis_server" ]; then find_redis; fi
}

# as_root runs a command with the rights a package manager needs, without ever asking for a password.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

can_be_root() {
	[ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# choose_manager sets manager to the package manager that we have the right to use, or leaves it empty.
choose_manager() {
	for manager in apt-get dnf apk pacman brew ""; do
		if [ -n "$manager" ] && command -v "$manager" >/dev/null; then break; fi
	done
	case $manager in
	"") ;;
	brew) [ "$(id -u)" -ne 0 ] || manager="" ;; # brew refuses root
	*) can_be_root || manager="" ;;
	esac
}

install_services() {
	local manager wanted=""
	choose_manager
	[ -n "$manager" ] || return 0
	if [ -z "$pg_bin" ]; then wanted="Postgres"; fi
	if [ -z "$redis_server" ]; then wanted="${wanted:+$wanted and }Redis"; fi
	echo "services: installing $wanted with $manager (no system service is started)" >&2
	if ! "install_with_${manager%-get}" >"$install_log" 2>&1; then
		echo "services: $manager failed; its last lines:" >&2
		tail -n 5 "$install_log" | sed 's/^/    /' >&2
	fi
	find_services
}

# find_browser takes a program only once it has told its version: Ubuntu's chromium-browser may be a
# note that says where to get one.
find_browser() {
	local name program
	if [ -n "$browser" ]; then return; fi
	for name in chromium chromium-browser google-chrome-stable google-chrome \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium; do
		program=$(command -v "$name") || continue
		if "$program" --version 2>/dev/null | grep -q '[0-9]\.[0-9]'; then
			browser=$program
			return
		fi
	done
}

install_browser() {
	local manager
	choose_manager
	case $manager in
	"" | brew) return 0 ;; # a cask would appear among the user's own applications
	esac
	echo "services: installing Chromium with $manager" >&2
	if ! "install_browser_with_${manager%-get}" >"$install_log" 2>&1; then
		echo "services: $manager failed; its last lines:" >&2
		tail -n 5 "$install_log" | sed 's/^/    /' >&2
	fi
	find_browser
}

install_browser_with_apt() { apt_install chromium; }
install_browser_with_dnf() { as_root dnf install -y -q chromium </dev/null; }
install_browser_with_apk() { as_root apk add --no-cache chromium font-dejavu </dev/null; }
install_browser_with_pacman() { as_root pacman -Sy --noconfirm --needed chromium </dev/null; }

install_with_apt() {
	local packages=()
	if [ -z "$pg_bin" ]; then packages+=(postgresql); fi
	if [ -z "$redis_server" ]; then packages+=(redis-server); fi
	without_apt_services apt_install "${packages[@]}"
}

# apt_install PACKAGE… installs packages without their recommendations.
apt_install() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120
		-o Dpkg::Options::=--force-confold)
	as_root "${apt[@]}" update || true # an unreachable mirror need not matter: the lists may be there
	as_root "${apt[@]}" install --no-install-recommends "$@" </dev/null
}

# without_apt_services COMMAND… runs it while packages may neither start their service nor create
# Postgres's "main" cluster. A setting that the machine already has is left as it is.
without_apt_services() {
	local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.conf
	local template=/usr/share/postgresql-common/createcluster.conf
	local made_policy="" made_clusters="" status=0
	if [ ! -e "$policy" ]; then
		made_policy=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	if [ ! -e "$clusters" ]; then
		made_clusters=yes
		as_root mkdir -p "${clusters%/*}"
		echo 'create_main_cluster = false' | as_root tee "$clusters" >/dev/null
	fi
	"$@" || status=$?
	if [ -n "$made_policy" ]; then as_root rm -f "$policy"; fi
	if [ -n "$made_clusters" ]; then # as a plain installation would have left it
		if [ -e "$template" ]; then as_root cp "$template" "$clusters"; else as_root rm -f "$clusters"; fi
	fi
	return "$status"
}

# On dnf, apk and pacman installing a package starts nothing. Where redis has left the
# distribution, valkey has taken its place.
install_with_dnf() {
	if [ -z "$pg_bin" ]; then as_root dnf install -y -q postgresql-server </dev/null || return; fi
	if [ -z "$redis_server" ]; then
		as_root dnf install -y -q redis </dev/null || as_root dnf install -y -q valkey </dev/null
	fi
}

install_with_apk() {
	if [ -z "$pg_bin" ]; then as_root apk add --no-cache postgresql </dev/null || return; fi
	if [ -z "$redis_server" ]; then
		as_root apk add --no-cache redis </dev/null || as_root apk add --no-cache valkey </dev/null
	fi
}

install_with_pacman() {
	local packages=()
	if [ -z "$pg_bin" ]; then packages+=(postgresql); fi
	if [ -z "$redis_server" ]; then packages+=(valkey); fi
	as_root pacman -Sy --noconfirm --needed "${packages[@]}" </dev/null
}

install_with_brew() {
	local packages=()
	if [ -z "$pg_bin" ]; then packages+=(postgresql@17); fi
	if [ -z "$redis_server" ]; then packages+=(redis); fi
	NONINTERACTIVE=1 HOMEBREW_NO_AUTO_UPDATE=1 HOMEBREW_NO_ENV_HINTS=1 brew install "${packages[@]}" </dev/null
}
