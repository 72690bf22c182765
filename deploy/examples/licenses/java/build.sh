#!/bin/sh
# Builds seat-filter.jar with the servlet API from Debian (libservlet-api-java), or with that of
# Tomcat 10 and later (SERVLET_API=/usr/share/java/tomcat10-servlet-api.jar).
set -eu
cd "$(dirname "$0")"
api=${SERVLET_API:-/usr/share/java/servlet-api.jar}
[ -r "$api" ] || { echo "no servlet API at $api: apt-get install libservlet-api-java, or set SERVLET_API" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/classes"
source=SeatFilter.java
if jar --list --file "$api" | grep -q '^jakarta/servlet/Filter.class'; then
    # From Tomcat 10 on the packages have another name, and nothing else is different.
    mkdir "$out/source"
    source=$out/source/SeatFilter.java
    sed 's/javax\.servlet/jakarta.servlet/' SeatFilter.java >"$source"
fi
javac -Xlint:all -Werror -d "$out/classes" -cp "$api" "$source"
jar --create --file "${1:-seat-filter.jar}" -C "$out/classes" .
