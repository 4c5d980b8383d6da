#!/bin/sh
# sysroot.sh FOLDER: puts the libraries that the extension and its unit tests link, built for
# aarch64, into FOLDER, out of Debian's packages. Nothing is installed, and root is not needed.
set -eu
folder=$1
[ -e "$folder/done" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
cd "$folder"
apt() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= \
        -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@" >apt.log 2>&1 || {
        cat apt.log >&2
        exit 1
    }
}
apt update
apt download libcmocka0
for package in *.deb; do dpkg -x "$package" .; done
# What a linker looks for: libcmocka.so, which is libcmocka.so.0.
for library in usr/lib/aarch64-linux-gnu/*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
done
mv usr/lib/aarch64-linux-gnu lib
rm -rf lists cache usr ./*.deb
touch done
