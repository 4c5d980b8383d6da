#!/bin/sh
# sqlite.sh FOLDER: SQLite's sources into FOLDER, as npm's package sqlite3 has them inside: sqlite3.c,
# sqlite3.h, sqlite3ext.h and shell.c.
set -eu
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(
    cd "$work"
    npm pack --silent sqlite3
    tar xzf sqlite3-*.tgz
    tar xzf package/deps/sqlite-autoconf-*.tar.gz --strip-components=1
) >/dev/null || { echo "SQLite's sources cannot be had: the package sqlite3 of npm" >&2; exit 1; }
mkdir -p "$folder"
mv "$work/sqlite3.h" "$work/sqlite3ext.h" "$work/shell.c" "$folder/"
mv "$work/sqlite3.c" "$folder/" # last: what make looks for
