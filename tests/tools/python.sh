#!/bin/sh
# python.sh: prints a python3 whose sqlite3 module can load extensions; many builds leave that out.
# PYTHON names one to try first.
for python in "${PYTHON:-}" python3 /usr/bin/python3 /opt/homebrew/bin/python3 \
    /usr/local/bin/python3; do
    [ -n "$python" ] || continue
    if "$python" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' \
        >/dev/null 2>&1; then
        command -v "$python"
        exit 0
    fi
done
echo "no python3 here can load SQLite extensions (Debian's can: apt-get install python3)" >&2
exit 1
