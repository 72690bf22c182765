#!/bin/sh
# Makes sure that what "make test-shares" runs is on this machine: an emulator, a
# kernel for its guests, servers and clients of network file systems. Debian's names
# are known; elsewhere it says what to install. The kernel is not installed: it is
# unpacked below .tools/rig. "short" is what the kernels' own clients need, "quick"
# what sshfs does. No service is started, or left switched on.
set -eu

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

form=${1:-all}
place=$(cd "$(dirname "$0")/.." && pwd)/.tools/rig

missing=
if [ "$form" != quick ]; then
    have qemu-system-x86_64 || missing="$missing qemu-system-x86"
    have smbd || missing="$missing samba"
    have mkfs.ext4 || missing="$missing e2fsprogs"
fi
if [ "$form" != short ]; then
    have sshfs || missing="$missing sshfs"
    [ -x /usr/lib/openssh/sftp-server ] || missing="$missing openssh-sftp-server"
fi
if [ "$form" = all ]; then
    have glusterfsd || missing="$missing glusterfs-client"
    have smbnetfs || missing="$missing smbnetfs"
fi
kernel=
[ "$form" = quick ] && kernel=none
for k in "$place"/boot/vmlinuz-*; do
    [ -e "$k" ] && kernel=$k
done
if [ -z "$missing" ] && [ -n "$kernel" ]; then
    exit 0
fi
if ! have apt-get || [ "$(dpkg --print-architecture)" != amd64 ]; then
    say "this script knows Debian on amd64 only; install$missing by hand, and unpack a kernel's boot and lib/modules below $place"
    exit 1
fi
updated=
update() { [ -n "$updated" ] || as_root apt-get update -q >&2; updated=yes; }

if [ -n "$missing" ]; then
    say "installing$missing"
    # Debian's packages start their services, which nobody asked for.
    running=
    for s in smbd nmbd winbind; do
        if have systemctl && systemctl is-active --quiet "$s" 2>/dev/null; then running="$running $s"; fi
    done
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2 ||
        { update && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2; }
    for s in smbd nmbd; do
        case "$running" in
        *"$s"*) ;;
        *) if have systemctl && [ -d /run/systemd/system ]; then
               as_root systemctl disable --now "$s" >&2 || say "the service $s could not be switched off"
           fi ;;
        esac
    done
fi

if [ -z "$kernel" ]; then
    newest() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -n 1; }
    package=$(newest)
    [ -n "$package" ] || { update; package=$(newest); }
    [ -n "$package" ] || { say "no kernel linux-image-cloud-amd64 is known to apt-get"; exit 1; }
    say "unpacking $package below $place"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # As root apt-get would want to hand the download to a user of its own.
    (cd "$work" && { apt-get -q -o APT::Sandbox::User=root download "$package" >&2 || { update && apt-get -q -o APT::Sandbox::User=root download "$package" >&2; }; })
    mkdir -p "$place"
    dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$place" ./boot ./lib/modules
fi
