#!/bin/sh
# install.sh WHAT...: makes sure that what a make target needs is on this machine.
#
#   runtime    a C compiler, make, the SQLite shell, SQLite's headers, what brings cJSON's sources
#   test       cmocka, libcurl, and a python3 with numpy whose sqlite3 loads extensions   (make test)
#   clang      clang with its run-time library                         (make fuzz, CI)
#   format     clang-format 14                                         (CI)
#   cross      a compiler for aarch64, and qemu-user; Debian alone     (make cross, CI)
#   peers      OpenAI's Python client, in build/peers-openai           (CI: tests/http/test_chat.py)
#   browser    Chromium; playwright-core and axe-core in build/browser (CI: tests/page)
#   command    what sqlite-rerank's command is made of, in build/command (CI: tests/drivers)
#   frameworks LangChain and LlamaIndex, in build/frameworks           (CI: test_frameworks)
#   drivers    PHP, Ruby, Perl and Tcl with SQLite; drivers of registries, in build/drivers
#                                                          (CI: tests/drivers/test_drivers.py)
#   cluster    Go, dqlite's library and package of Go, FUSE; Debian alone  (make cluster, CI)
#   emscripten emcc, a compiler for WebAssembly; npm                (make browser, CI: tests/browser)
#   zig        zig's compiler, in build/zig: PyPI's ziglang             (make packages)
#   lief       which reads files for other systems, in build/lief      (make test-packages)
#   bench      onnx for that python3, npm for the peers, and valgrind  (make bench, instructions)
#
# Looks first and installs only what is missing: apt-get on Debian and Ubuntu (as root or through
# sudo), brew on macOS. Elsewhere it says what to install and fails.
set -u

has_command() { command -v "$1" >/dev/null 2>&1; }

# Compiles and links one line of C: has_library HEADER LIBRARY
has_library() {
    folder=$(mktemp -d) || return 1
    printf '#include <stdarg.h>\n#include <stddef.h>\n#include <setjmp.h>\n#include <stdint.h>\n' \
        >"$folder/try.c"
    printf '#include <%s>\nint main(void) { return 0; }\n' "$1" >>"$folder/try.c"
    # CPPFLAGS and LDFLAGS are lists of words
    # shellcheck disable=SC2086
    ${CC:-cc} ${CPPFLAGS:-} -o "$folder/try" "$folder/try.c" ${LDFLAGS:-} "-l$2" >/dev/null 2>&1
    found=$?
    rm -rf "$folder"
    return $found
}

# Its sources are compiled in where they can be had, which cjson.sh does; else its library.
has_cjson() {
    [ -e build/sources/cjson/cJSON.h ] ||
        { has_library cjson/cJSON.h cjson && { has_command dpkg-source || ! has_command apt-get; }; }
}

missing=""
need() { missing="$missing $1"; }

look_runtime() {
    has_command "${CC:-cc}" || need compiler
    has_command make || has_command gmake || need make
    has_command "${SQLITE3:-sqlite3}" || need sqlite3
    has_library sqlite3ext.h sqlite3 || need sqlite-headers
    has_cjson || need cjson
}

look_test() {
    has_library cmocka.h cmocka || need cmocka
    has_library curl/curl.h curl || need curl-headers
    python=$(sh "$(dirname "$0")/python.sh" 2>/dev/null) || need python3
    "${python:-python3}" -c 'import numpy' 2>/dev/null || need numpy
}

look_clang() { has_command clang || need clang; }
look_bench() {
    "$(sh "$(dirname "$0")/python.sh")" -c 'import onnx' 2>/dev/null || need onnx
    has_command npm || need npm
    has_command valgrind || need valgrind
}
look_cross() {
    has_command aarch64-linux-gnu-gcc || need cross-compiler
    has_command qemu-aarch64 || need qemu-user
}
look_drivers() {
    php -r 'exit(class_exists("SQLite3") && class_exists("PDO") ? 0 : 1);' 2>/dev/null || need php
    ruby -rsqlite3 -e 1 2>/dev/null || need ruby
    perl -MDBD::SQLite -e 1 2>/dev/null || need perl
    echo 'puts [package require sqlite3]' | tclsh 2>/dev/null | grep -q . || need tcl
}
look_browser() {
    has_command chromium || need chromium
    has_command npm || need npm
}
look_emscripten() {
    has_command emcc || need emscripten
    has_command npm || need npm
}
look_cluster() { # nowhere else are they packed
    has_command apt-get || return 0
    has_command go || need golang-go
    has_library dqlite.h dqlite && [ -d /usr/share/gocode/src/github.com/canonical/go-dqlite ] ||
        need dqlite
    has_command fusermount3 || need fuse3
}
look_format() { has_command clang-format || need clang-format; }

debian_package() {
    case $1 in
    compiler) echo "gcc libc6-dev" ;;
    sqlite-headers) echo libsqlite3-dev ;;
    curl-headers) echo libcurl4-openssl-dev ;;
    cjson) echo "dpkg-dev libcjson-dev" ;;
    cmocka) echo libcmocka-dev ;;
    cross-compiler) echo "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    clang) echo "clang libclang-rt-14-dev" ;;
    dqlite) echo "libdqlite-dev golang-github-canonical-go-dqlite-dev" ;;
    numpy) echo "python3-numpy libopenblas0-pthread" ;;
    onnx) echo python3-onnx ;;
    npm) echo "nodejs npm" ;;
    php) echo "php-cli php-sqlite3" ;;
    ruby) echo ruby-sqlite3 ;;
    perl) echo libdbd-sqlite3-perl ;;
    tcl) echo "tcl libsqlite3-tcl" ;;
    *) echo "$1" ;;
    esac
}

brew_package() {
    case $1 in
    compiler | make) echo "" ;;
    sqlite3 | sqlite-headers) echo sqlite ;;
    curl-headers) echo curl ;;
    python3) echo python ;;
    clang) echo llvm ;;
    npm) echo node ;;
    perl | tcl) echo "" ;;
    *) echo "$1" ;;
    esac
}

install_debian() {
    packages=""
    for item in $missing; do packages="$packages $(debian_package "$item")"; done
    root=""
    if [ "$(id -u)" != 0 ]; then
        has_command sudo || {
            echo "run as root, or install sudo: apt-get install -y$packages" >&2
            return 1
        }
        root="sudo"
    fi
    echo "installing:$packages"
    # packages is a list of words
    # shellcheck disable=SC2086
    $root apt-get update -q >/dev/null &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            $packages >/dev/null
}

install_brew() {
    packages=""
    for item in $missing; do packages="$packages $(brew_package "$item")"; done
    case " $missing " in
    *" compiler "*) echo "first: xcode-select --install" >&2 && return 1 ;;
    esac
    # shellcheck disable=SC2086
    brew install $packages
}

say_what_to_install() {
    echo "missing on this machine:$missing" >&2
    echo "please install: a C11 compiler and GNU make; SQLite 3.38 or newer with its shell" >&2
    echo "(sqlite3) and its headers; cJSON; for the tests also libcurl with headers, cmocka," >&2
    echo "and a python3 whose sqlite3 module can load extensions." >&2
    echo "Then run make again." >&2
    return 1
}

install_missing() {
    if has_command apt-get; then install_debian
    elif has_command brew; then install_brew
    else say_what_to_install; fi
}

# ---- what tests are skipped without: that it cannot be had is told, and no failure ---------------

# The system's packages of a set.
try_system() {
    missing=""
    "look_$1"
    [ -z "$missing" ] || install_missing
    missing=""
    "look_$1"
    [ -z "$missing" ] || echo "cannot be had here, tests will be skipped:$missing"
    missing=""
}

install_cluster() { try_system cluster; }
install_emscripten() { try_system emscripten; }

install_drivers() {
    try_system drivers
    sh "$(dirname "$0")/drivers.sh"
}

# Python packages into build/FOLDER: install_python FOLDER MODULE PACKAGE...
install_python() {
    folder=$(dirname "$0")/../../build/$1 module=$2
    shift 2
    python=$(sh "$(dirname "$0")/python.sh" 2>/dev/null) || return 0
    PYTHONPATH=$folder "$python" -c "import $module" 2>/dev/null ||
        sh "$(dirname "$0")/pip.sh" "$folder" "$@" >/dev/null 2>&1 ||
        echo "$* cannot be had here: their tests will be skipped"
}

install_peers() { install_python peers-openai openai openai; }
install_command() {
    install_python command click,rich,pathspec,pypdf,markdownify,mcp,apsw,datasette,sqlite_utils \
        click rich pathspec pypdf markdownify 'mcp>=2' apsw datasette sqlite-utils
}
install_frameworks() {
    install_python frameworks langchain_tests,llama_index.core \
        langchain-core langchain-tests llama-index-core
}

# Without it the page is tried by requests alone.
install_browser() {
    folder=$(dirname "$0")/../../build/browser
    try_system browser
    [ -d "$folder/node_modules/axe-core" ] ||
        npm install --silent --no-audit --no-fund --no-package-lock --prefix "$folder" \
            playwright-core axe-core >/dev/null 2>&1
    { has_command chromium && [ -d "$folder/node_modules/axe-core" ]; } ||
        echo "a browser cannot be had here: the page will be tested without one"
}

# Without it libraries for other platforms are left out, by name.
install_zig() {
    folder=$(dirname "$0")/../../build/zig
    [ -e "$folder/ziglang/zig" ] && return 0
    python3 -m pip install -q --upgrade --target "$folder" ziglang >/dev/null 2>&1 ||
        echo "zig cannot be had here: libraries that are not built already will be left out"
}

# Without it the files for other systems are not looked into, by name.
install_lief() {
    folder=$(dirname "$0")/../../build/lief
    [ -e "$folder/lief" ] && return 0
    python3 -m pip install -q --upgrade --target "$folder" lief >/dev/null 2>&1 ||
        echo "lief cannot be had here: tests that look into files of other systems will be skipped"
}

[ $# -gt 0 ] || {
    echo "usage: install.sh WHAT... (see the head of this file)" >&2
    exit 2
}
for what in "$@"; do
    case $what in
    runtime | test | clang | format | cross | bench) "look_$what" ;;
    peers | browser | command | frameworks | drivers | cluster | emscripten | zig | lief) ;;
    *) echo "install.sh: unknown set '$what'" >&2 && exit 2 ;;
    esac
done
if [ -n "$missing" ]; then
    install_missing || exit 1
    missing=""
    for what in "$@"; do
        case $what in runtime | test | clang | format | cross | bench) "look_$what" ;; esac
    done
    [ -z "$missing" ] || { echo "still missing after installing:$missing" >&2; exit 1; }
fi
for what in "$@"; do
    case $what in
    peers | browser | command | frameworks | drivers | cluster | emscripten | zig | lief)
        "install_$what"
        ;;
    esac
done
