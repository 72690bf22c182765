#!/bin/sh
# Builds seat-filter.jar with the servlet API from Debian (libservlet-api-java).
set -eu
cd "$(dirname "$0")"
api=${SERVLET_API:-/usr/share/java/servlet-api.jar}
[ -r "$api" ] || { echo "no servlet API at $api: apt-get install libservlet-api-java, or set SERVLET_API" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
javac -Xlint:all -Werror -d "$out" -cp "$api" SeatFilter.java
jar --create --file "${1:-seat-filter.jar}" -C "$out" .
