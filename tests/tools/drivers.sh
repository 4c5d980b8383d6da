#!/bin/sh
# drivers.sh: fetches the drivers that tests/drivers/test_drivers.py asks, each language into its
# folder of build/drivers. What cannot be had is told, and its tests are skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
programs=$root/tests/drivers/programs

has_command() { command -v "$1" >/dev/null 2>&1; }

fetch_python() { sh "$root/tests/tools/pip.sh" . -r "$programs/requirements.txt"; }

# With a node that is new enough for them, where one is packed.
fetch_node() {
    has_command npm && cp "$programs/package.json" . &&
        npm install --no-package-lock --no-audit --no-fund
}

fetch_go() {
    has_command go && cp "$programs/go.mod" . && go mod download
}

fetch_rust() {
    has_command cargo && cp "$programs/Cargo.toml" "$programs"/rust_*.rs . && cargo fetch
}

fetch_java() {
    has_command mvn && cp "$programs/pom.xml" . &&
        mvn -q -B dependency:copy-dependencies -DoutputDirectory="$PWD"
}

for language in python node go rust java; do
    folder=$root/build/drivers/$language
    mkdir -p "$folder"
    (cd "$folder" && "fetch_$language") >"$folder.log" 2>&1 ||
        echo "drivers of $language cannot be had here: $(tail -n 1 "$folder.log")"
done
