#!/bin/sh
# Makes sure that PostgreSQL's server programs are on this machine: the tests
# and the demo start a private server of their own from them. Does nothing when
# they are here already; otherwise asks the system's package manager, as root or
# through sudo. No server is started and no cluster is made.
#
#   deploy/install-postgres.sh          install if missing
#   deploy/install-postgres.sh --check  only say whether they are here
set -eu

say() { printf '%s\n' "$*" >&2; }

# The same places, in the same order, as sql/pgserver looks.
found() {
    if [ -n "${COTERIE_PG_BIN:-}" ]; then
        [ -x "$COTERIE_PG_BIN/initdb" ] && [ -x "$COTERIE_PG_BIN/postgres" ]
        return
    fi
    if path=$(command -v initdb 2>/dev/null); then
        path=$(readlink -f "$path" 2>/dev/null || printf '%s' "$path")
        [ -x "$(dirname "$path")/postgres" ] && return 0
    fi
    dir=$(pg_config --bindir 2>/dev/null || true)
    for dir in "$dir" \
        /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/lib/postgresql*/bin /usr/libexec/postgresql* \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin /usr/local/pgsql/bin /usr/local/bin
    do
        [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return 0
    done
    return 1
}

if found; then
    exit 0
fi
if [ "${1:-}" = --check ]; then
    say "PostgreSQL's server programs (initdb, postgres) are not on this machine."
    exit 1
fi
if [ -n "${COTERIE_PG_BIN:-}" ]; then
    say "COTERIE_PG_BIN is $COTERIE_PG_BIN, which has no initdb and postgres. Correct it or unset it."
    exit 1
fi

# as_root runs a command as root. Without a terminal sudo may not ask.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# may_root: can this user become root at all?
may_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    [ -t 0 ] || sudo -n true 2>/dev/null
}

have() { command -v "$1" >/dev/null 2>&1; }

by_hand() {
    say "PostgreSQL's server programs (initdb, postgres) are missing, and $1."
    say "Ask an administrator for:  $2"
    say "or point COTERIE_PG_BIN at a directory that has them."
    exit 1
}

# Debian's package makes a cluster and starts it unless told not to.
install_apt() {
    dropin=/etc/postgresql-common/createcluster.d/coterie-no-cluster.conf
    made=
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        made=yes
        as_root mkdir -p "$(dirname "$dropin")"
        echo "create_main_cluster = false" | as_root tee "$dropin" >/dev/null
    fi
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2 ||
        { as_root apt-get update >&2 &&
          as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2; } ||
        status=$?
    [ -z "$made" ] || as_root rm -f "$dropin"
    return "$status"
}

say "PostgreSQL's server programs are missing; installing them."
if have brew; then # refuses to run as root, needs no root
    brew install postgresql@17 >&2
elif have apt-get; then
    may_root || by_hand "installing them needs root" "apt-get install postgresql"
    install_apt
elif have dnf; then
    may_root || by_hand "installing them needs root" "dnf install postgresql-server"
    as_root dnf install -y postgresql-server >&2
elif have zypper; then
    may_root || by_hand "installing them needs root" "zypper install postgresql-server"
    as_root zypper --non-interactive install postgresql-server >&2
elif have apk; then
    may_root || by_hand "installing them needs root" "apk add postgresql"
    as_root apk add postgresql >&2
elif have pacman; then
    may_root || by_hand "installing them needs root" "pacman -S postgresql"
    as_root pacman -S --noconfirm --needed postgresql >&2
else
    by_hand "no package manager that this script knows is here" "PostgreSQL 13 or newer"
fi

found || by_hand "they are not where packages usually put them" "the server package of PostgreSQL"
