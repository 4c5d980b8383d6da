"""check.py: enforces the rules of the house that a compiler does not know.

    check.py [--root FOLDER] [--library FILE]

Each rule is one check; what breaks it is printed as FILE:LINE: WHAT. The last line counts rules.
The exit status is 1 when one is broken. --library also looks at what the built library exports and
needs.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

from tools.circles import Uses, header_circles
from tools.rooms import LIST, Rooms
from tools.source import Source

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

BANNED = (
    "strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof "
    "sqlite3_value_numeric_type"  # with a copied value it crashes in SQLite 3.53
)
ALLOCATORS = "malloc calloc realloc reallocarray aligned_alloc posix_memalign free strdup strndup"
OUTPUT_AND_EXIT = (
    "printf vprintf fprintf vfprintf puts fputs putchar putc fputc perror exit _exit _Exit "
    "quick_exit abort"
)
UNWANTED_SYMBOLS = (
    "printf vprintf fprintf vfprintf __printf_chk __fprintf_chk puts fputs putchar perror stdout "
    "stderr exit _exit _Exit quick_exit abort __assert_fail"
).split()

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_COLUMNS = 100
ENTRY_POINTS = ("sqlite3_extension_init", "sqlite3_rerank_init", "sqlite3_rerank_auto_init",
                "sqlite3_rerank_locked_init")
TOP_LEVEL = set("ext sql tests datasets Makefile README.md LICENSE .ci .clang-format .editorconfig "
                ".gitignore".split())
LIBRARIES = r"(libc|libm|libdl|libpthread|ld-linux.*)\.so\.\d+$"  # a library may need


def check_included_code(source):
    for number, _, name in source.includes():
        if name.endswith(".c"):
            yield number, f"includes {name}"


def check_banned(source):
    for number, name in source.calls(BANNED):
        yield number, f"{name}() is banned"


def check_allocators(source):
    if not source.path.startswith("ext/base/"):
        for number, name in source.calls(ALLOCATORS):
            yield number, f"{name}() outside base/: memory comes from base/memory.h"


def check_output(source):
    for number, name in source.calls(OUTPUT_AND_EXIT):
        yield number, f"{name}(): the library neither writes nor exits"
    for number, match in source.matches(r"\b(stdout|stderr)\b"):
        yield number, f"{match.group(1)}: the library writes nothing"


def check_file_length(source):
    if len(source.lines) > MAX_FILE_LINES and not source.generated:
        yield MAX_FILE_LINES, f"{len(source.lines)} lines, more than {MAX_FILE_LINES}"


def check_function_length(source):
    start = None
    for number, line in enumerate(source.code, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            length = number - start + 1
            if length > MAX_FUNCTION_LINES:
                yield start, f"a function of {length} lines, more than {MAX_FUNCTION_LINES}"
            start = None


def check_width(source):
    for number, line in enumerate(source.lines, 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, more than {MAX_COLUMNS}"


def check_left_over(source):
    for number, line in enumerate(source.lines, 1):
        match = re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
        if match:
            yield number, match.group(1)


# Rules of the library's files, of all C files, and of C and Python.
LIBRARY_RULES = [
    ("no included .c file", check_included_code),
    ("banned functions", check_banned),
    ("memory through base/", check_allocators),
    ("no output, no exit", check_output),
]
C_RULES = [
    ("function length", check_function_length),
    ("nothing left over", check_left_over),
]
TEXT_RULES = [
    ("file length", check_file_length),
    ("width", check_width),
]


def run_rules(rules, sources):
    """(rule, what breaks it) of each."""
    return [(name, [f"{source.path}:{number}: {what}" for source in sources
                    for number, what in rule(source)]) for name, rule in rules]


def check_circles(circles):
    return [f"{files[0]}:1: {sentence}" for files, sentence in circles]


def check_top_level(root):
    """What git has beside what belongs there; None where there is no git to ask."""
    if shutil.which("git") is None or not os.path.exists(os.path.join(root, ".git")):
        return None
    result = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE,
                            check=True)
    entries = {path.split("/")[0] for path in result.stdout.decode().split("\0") if path}
    return [f"{name}:1: has no place at the top level" for name in sorted(entries - TOP_LEVEL)]


def check_format(root, files):
    """Lines that clang-format 14 would change; None when it is not here."""
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if program is None:
        return None
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=False).stdout
    if b"version 14." not in version:
        return None
    result = subprocess.run(
        [program, "--dry-run", "-style=file", "-fallback-style=none"] + files, cwd=root,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = result.stdout.decode()
    counts = {}
    for path, number in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error)", text, re.MULTILINE):
        counts.setdefault(path, []).append(number)
    return [f"{path}:{numbers[0]}: clang-format would change {len(numbers)} places (make format)"
            for path, numbers in sorted(counts.items())]


def symbols(library, *options):
    result = subprocess.run(["nm", *options, library], stdout=subprocess.PIPE, check=True)
    names = [line.split()[-1] for line in result.stdout.decode().splitlines() if line.strip()]
    names = [name.split("@")[0] for name in names]
    return [name[1:] for name in names] if sys.platform == "darwin" else names


def check_exports(library):
    dynamic = [] if sys.platform == "darwin" else ["-D"]
    defined = symbols(library, *dynamic, "-g", "--defined-only")
    for name in sorted(set(defined) - set(ENTRY_POINTS)):
        yield f"{library}: exports {name}"
    for name in ENTRY_POINTS:
        if name not in defined:
            yield f"{library}: does not export {name}"


def check_needs(library):
    dynamic = [] if sys.platform == "darwin" else ["-D"]
    for name in symbols(library, *dynamic, "-u"):
        if name in UNWANTED_SYMBOLS:
            yield f"{library}: needs {name}: the library neither writes nor exits"


def check_hardening(library):
    """What makes an error that is left harder to use, and no library more than it must have."""
    if sys.platform == "darwin" or shutil.which("readelf") is None:
        return None
    result = subprocess.run(["readelf", "-dlW", library], stdout=subprocess.PIPE, check=True)
    text = result.stdout.decode()
    needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", text)
    undefined = symbols(library, "-D", "-u")
    rules = (
        ("GNU_RELRO" in text and "BIND_NOW" in text, "what the loader fills in stays writable"),
        (re.search(r"GNU_STACK.* RW ", text), "its stack can be executed"),
        ("__stack_chk_fail" in undefined, "no function checks its stack"),
        (any(name.endswith("_chk") for name in undefined), "no size is checked by the C library"))
    return [f"{library}: {what}" for ok, what in rules if not ok] + \
        [f"{library}: needs {name}" for name in needed if not re.match(LIBRARIES, name)]


def main():
    parser = argparse.ArgumentParser(description="checks the rules of the house")
    parser.add_argument("--root", default=ROOT)
    parser.add_argument("--library")
    options = parser.parse_args()
    root = os.path.abspath(options.root)
    library, tests, scripts = [
        [Source(root, path) for pattern in patterns
         for path in sorted(glob.glob(os.path.join(root, pattern), recursive=True))]
        for patterns in (["ext/**/*.[ch]"], ["tests/**/*.[ch]"], ["ext/**/*.py", "tests/**/*.py"])]
    # What loads the library is no part of it, and no room: the rules of every C file hold for it.
    tests += [source for source in library if source.path.startswith("ext/bindings/")]
    library = [source for source in library if source not in tests]

    rooms = Rooms(root)
    results = [("rooms",
                [f"{LIST}:{number}: {what}" for number, what in rooms.check_list(library)])]
    results += run_rules([("includes", rooms.check_source)], library)
    results += run_rules([("includes of tests", rooms.check_test)], tests)
    results.append(("circles", check_circles(Uses(library).circles())))
    results.append(("circles of headers", check_circles(header_circles(library))))
    results += run_rules(LIBRARY_RULES, library)
    results += run_rules(C_RULES, library + tests)
    results += run_rules(TEXT_RULES, library + tests + scripts)
    results.append(("top level", check_top_level(root)))
    results.append(("format", check_format(root, [source.path for source in library + tests])))
    if options.library:
        results.append(("exported symbols", list(check_exports(options.library))))
        results.append(("needed symbols", list(check_needs(options.library))))
        results.append(("hardening", check_hardening(options.library)))

    counts = {"ok": 0, "broken": 0, "skipped": 0}
    for name, broken in results:
        state = "skipped" if broken is None else "broken" if broken else "ok"
        counts[state] += 1
        print(f"{name:<24} {state}")
        for line in broken or []:
            print("    " + line)
    print(f"{counts['ok']} passed, {counts['broken']} failed, {counts['skipped']} skipped")
    return 1 if counts["broken"] or not library else 0


if __name__ == "__main__":
    sys.exit(main())
