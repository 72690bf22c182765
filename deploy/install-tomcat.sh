#!/bin/sh
# Makes sure that a JDK and the libraries of a Tomcat are on this machine, for the
# test that runs the servlet filter of the examples in one. Without them it is
# skipped, and says so. Does nothing when they are here already; otherwise asks the
# system's package manager, as root or through sudo. No service is started.
set -eu

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# The same places as the tests look. That of keystores wants Tomcat 10; where the system has
# none, 9 is good for that of seats.
jars=${COTERIE_TOMCAT_JARS:-/usr/share/java}
found() { have javac && { [ -e "$jars/tomcat9-catalina.jar" ] || [ -e "$jars/tomcat10-catalina.jar" ]; }; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

if have javac && [ -e "$jars/tomcat10-catalina.jar" ]; then
    exit 0
fi
say "A JDK or Tomcat is missing; installing them."
if have apt-get; then
    install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2; }
    install default-jdk-headless libtomcat10-java || found ||
        { as_root apt-get update >&2 && { install default-jdk-headless libtomcat10-java || install default-jdk-headless libtomcat9-java; }; }
else
    say "this script knows Debian's packages only; COTERIE_TOMCAT_JARS may name a folder with tomcat10-catalina.jar and its companions"
    exit 1
fi
found || { say "they are not where packages usually put them"; exit 1; }
