#!/bin/sh
# sysroot.sh FOLDER: puts the libraries that the unit tests link, built for aarch64, into FOLDER/lib,
# out of Debian's packages.
set -eu
folder=$1
[ -e "$folder/lib" ] && exit 0
sh "$(dirname "$0")/root.sh" "$folder" arm64 libcmocka0
# What a linker looks for: libcmocka.so, which is libcmocka.so.0.
for library in "$folder"/usr/lib/aarch64-linux-gnu/*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
done
mv "$folder/usr/lib/aarch64-linux-gnu" "$folder/lib"
