#!/bin/sh
# root.sh FOLDER ARCHITECTURE PACKAGE...: unpacks Debian's packages for that architecture (arm64,
# amd64) into FOLDER, once: what programs for it need that run there. Nothing is installed, and root
# is not needed.
set -eu
folder=$1 architecture=$2
shift 2
[ -e "$folder/done" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
cd "$folder"
apt() {
    apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
        -o APT::Sandbox::User= -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" \
        "$@" >apt.log 2>&1 || {
        cat apt.log >&2
        exit 1
    }
}
apt update
apt download "$@"
for package in *.deb; do dpkg -x "$package" .; done
rm -rf lists cache ./*.deb apt.log
touch done
