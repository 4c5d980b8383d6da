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

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# A room includes itself and rooms on lower floors, with the exceptions of NEVER.
FLOORS = {
    "base": 1, "text": 2, "vector": 2, "http": 3, "model": 4, "lexical": 5, "local": 5, "api": 5,
    "catalog": 6, "index": 7, "sqlite": 8, "store": 9, "semantic": 10, "functions": 11, "extension": 12,
}
NEVER = {("index", "catalog")}

# Headers of others, and the rooms that may include them.
THIRD_PARTY = {
    "sqlite3.h": {"sqlite"}, "sqlite3ext.h": {"sqlite"}, "curl/curl.h": {"http"},
    "cJSON.h": {"base"}, "cjson/cJSON.h": {"base"},
}
SYSTEM_HEADERS = set(
    "assert ctype errno fenv float inttypes limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings threads time wchar "
    "pthread unistd fcntl sys/mman sys/stat sys/types sys/time dirent poll cpuid immintrin "
    "arm_neon sys/auxv sys/sysctl sys/syscall sched".split()
)

BANNED = "strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof"
ALLOCATORS = "malloc calloc realloc reallocarray aligned_alloc posix_memalign free strdup strndup"
OUTPUT_AND_EXIT = (
    "printf vprintf fprintf vfprintf puts fputs putchar putc fputc perror exit _exit _Exit "
    "quick_exit abort"
)
UNWANTED_SYMBOLS = (
    "printf vprintf fprintf vfprintf __printf_chk __fprintf_chk puts fputs putchar perror stdout "
    "stderr exit _exit _Exit quick_exit abort __assert_fail"
).split()

MAX_FILE_LINES = 1000
MAX_FUNCTION_LINES = 120
ENTRY_POINT = "sqlite3_rerank_init"


class Source:
    """A C file: its lines, and the code without comments and the contents of strings."""

    def __init__(self, root, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.path = os.path.relpath(path, root)
        self.room = self.path.split(os.sep)[1]
        self.lines = self.text.splitlines()
        self.code = strip(self.text).splitlines()

    def matches(self, pattern):
        for number, line in enumerate(self.code, 1):
            for match in re.finditer(pattern, line):
                yield number, match

    def calls(self, names):
        """Calls of plain functions, not of members (methods->free) or declared pointers."""
        alternatives = "|".join(names.split())
        for number, match in self.matches(r"(?<![\w.>])(%s)\s*\(" % alternatives):
            yield number, match.group(1)

    def includes(self):
        """(line, '<' or '\"', name); names are blanked in .code, so the raw line is read."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match.group(1), match.group(2)


def strip(text):
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    return re.sub(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
        flags=re.DOTALL)


def check_floors(source):
    if source.room not in FLOORS:
        yield 1, f"the room {source.room}/ has no floor"
        return
    for number, kind, name in source.includes():
        room = name.split("/")[0]
        if kind != '"' or room == source.room:
            continue
        if room not in FLOORS or "/" not in name:
            yield number, f'"{name}" does not begin with a room'
        elif FLOORS[room] >= FLOORS[source.room] or (source.room, room) in NEVER:
            yield number, f"{source.room}/ does not include {room}/ (floors {FLOORS[source.room]}" \
                          f" and {FLOORS[room]})"


def check_third_party(source):
    for number, kind, name in source.includes():
        if name in THIRD_PARTY:
            if source.room not in THIRD_PARTY[name]:
                rooms = " and ".join(sorted(THIRD_PARTY[name]))
                yield number, f"{name} belongs to {rooms}/ alone"
        elif kind == "<" and name[:-2] not in SYSTEM_HEADERS:
            yield number, f"<{name}> is not a header that this project uses"


def check_included_code(source):
    for number, _, name in source.includes():
        if name.endswith(".c"):
            yield number, f"includes {name}"


def check_banned(source):
    for number, name in source.calls(BANNED):
        yield number, f"{name}() is banned"


def check_allocators(source):
    if source.room != "base":
        for number, name in source.calls(ALLOCATORS):
            yield number, f"{name}() outside base/: memory comes from base/memory.h"


def check_output(source):
    for number, name in source.calls(OUTPUT_AND_EXIT):
        yield number, f"{name}(): the library neither writes nor exits"
    for number, match in source.matches(r"\b(stdout|stderr)\b"):
        yield number, f"{match.group(1)}: the library writes nothing"


def check_file_length(source):
    if len(source.lines) > MAX_FILE_LINES:
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


def check_left_over(source):
    for number, line in enumerate(source.lines, 1):
        match = re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
        if match:
            yield number, match.group(1)


SOURCE_RULES = [
    ("floors", check_floors),
    ("third-party headers", check_third_party),
    ("no included .c file", check_included_code),
    ("banned functions", check_banned),
    ("memory through base/", check_allocators),
    ("no output, no exit", check_output),
    ("file length", check_file_length),
    ("function length", check_function_length),
    ("nothing left over", check_left_over),
]


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
    for name in sorted(set(defined) - {ENTRY_POINT}):
        yield f"{library}: exports {name}"
    if ENTRY_POINT not in defined:
        yield f"{library}: does not export {ENTRY_POINT}"


def check_needs(library):
    dynamic = [] if sys.platform == "darwin" else ["-D"]
    for name in symbols(library, *dynamic, "-u"):
        if name in UNWANTED_SYMBOLS:
            yield f"{library}: needs {name}: the library neither writes nor exits"


def main():
    parser = argparse.ArgumentParser(description="checks the rules of the house")
    parser.add_argument("--root", default=ROOT)
    parser.add_argument("--library")
    options = parser.parse_args()
    root = os.path.abspath(options.root)
    files = sorted(glob.glob(os.path.join(root, "ext/*/**/*.[ch]"), recursive=True))
    tests = sorted(glob.glob(os.path.join(root, "tests/**/*.[ch]"), recursive=True))
    sources = [Source(root, path) for path in files]

    results = [(name, [f"{source.path}:{number}: {what}" for source in sources
                       for number, what in rule(source)]) for name, rule in SOURCE_RULES]
    results.append(("format", check_format(root, files + tests)))
    if options.library:
        results.append(("exported symbols", list(check_exports(options.library))))
        results.append(("needed symbols", list(check_needs(options.library))))

    counts = {"ok": 0, "broken": 0, "skipped": 0}
    for name, broken in results:
        state = "skipped" if broken is None else "broken" if broken else "ok"
        counts[state] += 1
        print(f"{name:<24} {state}")
        for line in broken or []:
            print("    " + line)
    print(f"{counts['ok']} passed, {counts['broken']} failed, {counts['skipped']} skipped")
    return 1 if counts["broken"] or not files else 0


if __name__ == "__main__":
    sys.exit(main())
