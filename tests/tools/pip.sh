#!/bin/sh
# pip.sh FOLDER PACKAGES...: installs them into FOLDER for the python3 that the tests use (python.sh),
# which may have no pip of its own.
folder=$1
shift
python=$(sh "$(dirname "$0")/python.sh") || exit 1
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for pip in "$python -m pip" pip3 pip; do
    # pip is a list of words
    # shellcheck disable=SC2086
    $pip install -q --upgrade --target "$folder" --python-version "$version" \
        --only-binary=:all: "$@" && exit 0
done
exit 1
