#!/bin/sh
# Makes sure that PgBouncer is on this machine, for the tests that put it between
# agents and PostgreSQL. Without it they are skipped, and say so. Does nothing when
# it is here already; otherwise asks the system's package manager, as root or
# through sudo. Its service is left switched off.
set -eu

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# The same places as sql/pgserver looks.
found() { have pgbouncer || [ -x /usr/sbin/pgbouncer ] || [ -x /usr/local/sbin/pgbouncer ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

if found; then
    exit 0
fi
say "PgBouncer is missing; installing it."
if have brew; then
    brew install pgbouncer >&2
elif have apt-get; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer >&2 ||
        { as_root apt-get update >&2 &&
          as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer >&2; }
elif have dnf; then
    as_root dnf install -y pgbouncer >&2
elif have zypper; then
    as_root zypper --non-interactive install pgbouncer >&2
elif have apk; then
    as_root apk add pgbouncer >&2
elif have pacman; then
    as_root pacman -S --noconfirm --needed pgbouncer >&2
else
    say "no package manager that this script knows is here; install PgBouncer by hand"
    exit 1
fi
# Debian's package starts its service, which nobody asked for.
if have systemctl && [ -d /run/systemd/system ]; then
    as_root systemctl disable --now pgbouncer >&2 || say "its service could not be switched off"
fi
found || { say "PgBouncer is not where packages usually put it"; exit 1; }
