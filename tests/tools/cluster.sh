#!/bin/sh
# cluster.sh FOLDER LIBRARY ENGINE...: builds what the tests of tests/cluster/ run into FOLDER.
#
#   dqlite       dqlite-node: tests/cluster/dqlite_node.go with LIBRARY (librerank.a) inside
#   litestream   by Go, from the sources of its module, as the next; minutes, the first time
#   litefs       needs FUSE to run
#
# What cannot be had here is left out, by name: its tests are skipped.
set -u
folder=$1
library=$2
shift 2

mkdir -p "$folder" || exit 1
folder=$(cd "$folder" && pwd)
library=$(cd "$(dirname "$library")" && pwd)/$(basename "$library")
here=$(cd "$(dirname "$0")/../cluster" && pwd)
sources=$(cd "$(dirname "$0")/../../build/sources" && pwd)

# By Debian's package, which is no module. Go does not see that LIBRARY is another.
build_dqlite() {
    node=$folder/dqlite-node
    [ "$node" -nt "$library" ] && [ "$node" -nt "$here/dqlite_node.go" ] && return 0
    rm -f "$node"
    GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' CGO_ENABLED=1 CGO_LDFLAGS_ALLOW='-Wl,.*' \
        CGO_LDFLAGS="$library -lsqlite3 -ldl -lm -lpthread $(cat "$sources/cjson/libs")" \
        go build -tags libsqlite3 -o "$node" "$here/dqlite_node.go"
}

build_litestream() {
    [ -x "$folder/litestream" ] ||
        GOBIN=$folder go install github.com/benbjohnson/litestream/cmd/litestream@v0.5.18
}

build_litefs() {
    [ -x "$folder/litefs" ] || GOBIN=$folder go install github.com/superfly/litefs/cmd/litefs@v0.5.14
}

for engine in "$@"; do
    "build_$engine" >"$folder/$engine.log" 2>&1 || echo "$engine is left out: $folder/$engine.log"
done
