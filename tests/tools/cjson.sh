#!/bin/sh
# cjson.sh FOLDER: puts cJSON into FOLDER: cJSON.h, cJSON.c, and in `libs` what to link beside it.
# The first of these that can be had:
#   CJSON=folder   that has cJSON.c and cJSON.h of release 1.7.15 or newer
#   the source package of the distribution, out of its own archive and with its corrections
#                  (apt-get: nothing is installed or set up, and root is not needed)
#   libcjson.a     of the machine; else its shared libcjson: cJSON.c is empty then
set -eu
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sources that lie in a folder.
take() {
    [ -f "$1/cJSON.c" ] && [ -f "$1/cJSON.h" ] || return 1
    cp "$1/cJSON.c" "$1/cJSON.h" "$work/"
    : >"$work/libs"
}

# The archives that this machine already asks for packages, asked for sources: by lists of our own.
from_debian() {
    command -v apt-get >/dev/null && command -v dpkg-source >/dev/null || return 1
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/parts"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        to=$work/apt/parts/$(basename "$list")
        case $list in
        *.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"$to" ;;
        *.list) sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$list" >"$to" ;;
        esac 2>/dev/null || true
    done
    for what in update 'source cjson'; do
        # $what is words
        # shellcheck disable=SC2086
        (cd "$work/apt" && apt-get -q -o APT::Sandbox::User= -o Acquire::Retries=2 \
            -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/parts" \
            -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
            $what >>log 2>&1) || [ "$what" = update ] || return 1
    done
    take "$(echo "$work"/apt/cjson-*)"
}

# links FLAGS...: whether they bring cJSON.
links() {
    printf '#include <cjson/cJSON.h>\nint main(void) { return cJSON_Version() == 0; }\n' \
        >"$work/try.c"
    # CPPFLAGS and LDFLAGS are lists of words
    # shellcheck disable=SC2086
    ${CC:-cc} ${CPPFLAGS:-} -o "$work/try" "$work/try.c" ${LDFLAGS:-} "$@" >/dev/null 2>&1
}

from_library() {
    # shellcheck disable=SC2086
    archive=$(${CC:-cc} ${LDFLAGS:-} -print-file-name=libcjson.a 2>/dev/null || true)
    if [ "${archive#/}" != "$archive" ] && links "$archive"; then
        case $(uname -s) in
        Darwin) echo "-Wl,-load_hidden,$archive" ;;
        *) echo "$archive -Wl,--exclude-libs,libcjson.a" ;;
        esac >"$work/libs"
    elif links -lcjson; then
        echo "cJSON's sources cannot be had: build/rerank.so will need the shared libcjson" >&2
        echo "-lcjson" >"$work/libs"
    else
        return 1
    fi
    echo '#include_next <cjson/cJSON.h>' >"$work/cJSON.h"
    : >"$work/cJSON.c"
}

if [ -n "${CJSON:-}" ]; then
    take "$CJSON" || { echo "CJSON=$CJSON has no cJSON.c and cJSON.h" >&2; exit 1; }
else
    from_debian || from_library || {
        echo "cJSON cannot be had: install libcjson-dev (cjson-devel, cjson), or name a folder" \
            "that has cJSON.c and cJSON.h: CJSON=folder" >&2
        exit 1
    }
fi
mkdir -p "$folder"
mv "$work/cJSON.c" "$work/libs" "$folder/"
mv "$work/cJSON.h" "$folder/" # last: what make looks for
