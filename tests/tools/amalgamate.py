"""amalgamate.py: writes rerank.c and rerank.h, the whole library in one file.

    amalgamate.py --cjson FOLDER --table FILE --out FOLDER

Headers come first, each once, then every file of ext/, in the order of ext/rooms. So that no two
files meet, and no program that the file is compiled into:
    what headers declare becomes static, but for the entry points;
    what a file has for itself (functions, variables, types, constants) gets the file's name before
    its own where another has the same name;
    the macros of a file end with it.
A header that is written for the file that includes it (it says TARGET, INLINE or FAMILY) is a part
of that file. cJSON is one file more, the table of ext/embedded another.
"""
import argparse
import collections
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXT = os.path.join(ROOT, "ext")
ABSENT = "http/absent.c"

# What is to be read is the group; a list of numbers is one token.
TOKEN = re.compile(
    r"(\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|\.?\d[\w.]*(?:,\s+\.?\d[\w.]*)*"
    r"|->|##|(?!/[*/]|\\\n)\S)|/\*.*?\*/|//[^\n]*|\\\n|\s+", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r'^#include (["<])(.+?)[">].*\n', re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*$")
TAG = re.compile(r"\b(?:struct|union|enum) (\w+)")
OPENS, CLOSES = "({[", ")}]"
ENTRY_POINTS = {"sqlite3_extension_init", "sqlite3_rerank_init", "sqlite3_rerank_auto_init",
                "sqlite3_rerank_locked_init"}
SYSTEM_NAMES = set("eof index poll raise read select sync time truncate write".split())
STATIC_MACROS = {"EACH", "INLINE"}  # that say static themselves

TOP = """\
/*
 * rerank.c: sqlite-rerank %(version)s in one file.
 *
 *     cc -O2 -shared -fPIC rerank.c -o rerank.so -lm       a loadable extension
 *     cc -O2 -DSQLITE_CORE -c rerank.c                     a part of a program: see rerank.h
 *
 * A C library before glibc 2.34 wants -lpthread -ldl beside -lm. -DRERANK_NO_REMOTE leaves remote
 * models out, and with them all that can reach a network. It needs sqlite3ext.h and no other
 * header that is not the system's. Made by `make amalgamation`: change the sources, not this.
 *
 * MIT licence; cJSON inside: MIT licence, Dave Gamble and contributors; the table of the built-in
 * model was made with works under Apache-2.0.
 */
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* parts are made for more than one user */
#pragma GCC diagnostic ignored "-Wunused-variable"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wformat-truncation" /* texts of errors are cut on purpose */
#endif
#endif
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#ifdef _WIN32
#ifndef __USE_MINGW_ANSI_STDIO
#define __USE_MINGW_ANSI_STDIO 1
#endif
#endif
"""

HEADER = """\
/*
 * rerank.h: the entry points of sqlite-rerank %(version)s, for a program that has rerank.c or
 * librerank.a inside: before it opens databases,
 *
 *     sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
 *
 * Where the library cannot start, a database opens nonetheless, and its functions answer why. For
 * one connection sqlite3_rerank_init(db, &message, NULL), whose errors are errors; `message` is of
 * sqlite3_malloc. sqlite3_rerank_locked_init is that, and locks the connection, as
 * rerank_config('locked', 1) does.
 */
#ifndef RERANK_H
#define RERANK_H

#include <sqlite3.h>

#define RERANK_VERSION "%(version)s"

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3_api_routines;
int sqlite3_rerank_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);
int sqlite3_rerank_auto_init(sqlite3 *db, char **message,
                             const struct sqlite3_api_routines *api);
int sqlite3_rerank_locked_init(sqlite3 *db, char **message,
                               const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
"""


def read(path):
    with open(os.path.join(EXT, path), encoding="utf-8") as file:
        return file.read()


def words(text):
    return [match.group(1) for match in TOKEN.finditer(text) if match.group(1)]


def blank(match):
    """As many characters and lines, but nothing to read."""
    return re.sub(r"[^\n]", " ", match.group(0))


class Chunk:
    """One declaration outside of all braces: where it starts, and its tokens, braces emptied."""

    def __init__(self, start, tokens):
        self.start, self.tokens = start, tokens

    @property
    def is_static(self):
        return "static" in self.tokens or self.tokens[0] in STATIC_MACROS

    @property
    def is_invocation(self):
        return is_call(self.tokens)

    @property
    def is_bare(self):
        """It declares a type, asserts something, or is nothing."""
        text = " ".join(self.tokens)
        return bool(re.match(r"(typedef|_Static_assert|static_assert)\b", text) or
                    re.match(r"((struct|union|enum) (\w+ )?({ } )?)?;$", text))

    def declared(self):
        """The names of functions and variables."""
        tokens = list(self.without_attributes())
        if "(" in tokens and not ("=" in tokens and tokens.index("=") < tokens.index("(")):
            at = tokens.index("(")
            if tokens[at + 1] == "*":
                depth, last = 0, None
                for token in tokens[at:]:
                    depth += (token == "(") - (token == ")")
                    if NAME.match(token) and token != "const" and last is None:
                        last = token
                    if depth == 0:
                        break
                return [last]
            return [tokens[at - 1]]
        names, depth, is_value = [], 0, False
        for i, token in enumerate(tokens):
            depth += (token in OPENS) - (token in CLOSES)
            if depth == 0 and token in ("=", ","):
                is_value = token == "="
            elif (depth == 0 and not is_value and NAME.match(token) and
                  tokens[i + 1] in ("=", "[", ";", ",")):
                names.append(token)
        return names

    def without_attributes(self):
        depth = None
        for token, after in zip(self.tokens, self.tokens[1:] + [""]):
            if token in ("__attribute__", "_Atomic") and after == "(":
                depth = 0
            elif depth is not None:
                depth += (token == "(") - (token == ")")
                if depth == 0:
                    depth = None
            else:
                yield token


def chunks(text):
    """The declarations of a text; its directives are passed over."""
    tokens, depth, start, previous, is_function = [], 0, None, "", False
    body = None  # the depth at which the outermost brace opened
    for match in TOKEN.finditer(DIRECTIVE.sub(blank, text)):
        token = match.group(1)
        if token is None:
            continue
        if start is None:
            start = match.start()
        depth -= token in CLOSES
        if token == "{" and body is None:
            is_function = depth == 0 and previous == ")" and "=" not in tokens
            body = depth
            tokens.append(token)
        elif body is None:
            tokens.append(token)
        elif token == "}" and depth == body:
            body = None
            tokens.append(token)
        depth += token in OPENS
        previous = token
        if depth == 0 and (token == ";" or (token == "}" and is_function) or
                           (token == ")" and is_call(tokens))):
            yield Chunk(start, tokens)
            tokens, start, is_function = [], None, False


def is_call(tokens):
    """Of a macro that defines something."""
    return len(tokens[0]) > 1 and tokens[0].isupper() and tokens[1] == "("


def enum_constants(text):
    """Of every enum that has a body; what is inside functions does no harm."""
    for body in re.findall(r"\benum\b\s*\w*\s*\{([^}]*)\}", text):
        for part in re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).split(","):
            match = re.match(r"\s*(\w+)", part)
            if match:
                yield match.group(1)


class File:
    """A .c file with the headers that are parts of it."""

    def __init__(self, path, text, static_text):
        self.path, self.text = path, static_text
        self.prefix = re.sub(r"\W", "_", path) + "_"
        defined = set(re.findall(r"^ *#define (\w+)", text, re.MULTILINE))
        asked = set(re.findall(r"^ *#ifndef (\w+)(?<!_H)$", text, re.MULTILINE))
        self.macros = sorted(defined - asked)
        self.pastes = set(re.findall(r"\b([A-Za-z_]\w*)##", text))
        self.names = set()
        self.tags = set(re.findall(r"\b(?:struct|union|enum) (\w+) {", text))
        for chunk in chunks(text):
            self.take(chunk)
        for constant in enum_constants(text):
            self.names.add(constant)
        self.names -= set(self.macros)

    def take(self, chunk):
        text = " ".join(chunk.tokens)
        if chunk.tokens[0] == "typedef":
            found = re.search(r"\( \* (\w+) \)", text) or re.search(
                r"(\w+)(?: __attribute__.*)? ;$", text)
            self.names.add(found.group(1))
        elif chunk.is_static and not chunk.is_invocation:
            self.names.update(chunk.declared())

    def renamed(self, names, tags):
        """The text, in which these names and tags have the prefix."""
        names, tags = self.names & names, self.tags & tags
        if not names and not tags:
            return self.text
        result, meaning = [], [""]  # meaning: the tokens that are no space
        kinds = []  # of each open brace: "struct" or ""
        offset_at = None  # in the parentheses of an offsetof
        depth = 0
        tokens = list(TOKEN.finditer(self.text))
        following = iter([match.group(1) for match in tokens if match.group(1)][1:] + [""])
        for match in tokens:
            token, before = match.group(1), meaning[-1]
            if token is None:
                result.append(match.group(0))
                continue
            after = next(following)
            if token == "{":
                kinds.append("struct" if self.opens_struct(meaning) else "")
            elif token == "}" and kinds:
                kinds.pop()
            depth += (token == "(") - (token == ")")
            if token == "offsetof":
                offset_at = depth + 1
            elif offset_at is not None and depth < offset_at and token == ")":
                offset_at = None
            meaning.append(token)
            if before in ("struct", "union", "enum"):
                result.append(self.prefix + token if token in tags else token)
            elif (token in names and before not in (".", "->") and
                  not (offset_at is not None and before == ",") and
                  not (kinds and kinds[-1] == "struct" and self.is_member(before, after))):
                result.append(self.prefix + token)
            else:
                result.append(self.pasted(token, names) or token)
        return "".join(result)

    @staticmethod
    def is_member(before, after):
        return after in (";", ",", "[", ")", ":") and before not in ("[", "+", "-", "/")

    def pasted(self, token, names):
        """A name that a macro makes by ## out of one that is renamed, or None."""
        for start in self.pastes:
            if token.startswith(start) and token[len(start):] in names:
                return start + self.prefix + token[len(start):]
        return None

    @staticmethod
    def opens_struct(meaning):
        last = meaning[-2:]
        return any(word in ("struct", "union") for word in last)

    def ending(self):
        return "".join(f"#undef {name}\n" for name in self.macros)


def made_static(text):
    """The text with nothing in it that another file could link."""
    inserts = []
    for chunk in chunks(text):
        if chunk.tokens[0] == "extern":
            inserts.append((chunk.start, len("extern"), "static"))
        elif ENTRY_POINTS.intersection(chunk.tokens):
            continue
        elif not (chunk.is_static or chunk.is_bare or chunk.is_invocation):
            inserts.append((chunk.start, 0, "static "))
    for start, length, word in reversed(inserts):
        text = text[:start] + word + text[start + length:]
    # Functions that macros declare and define.
    return re.sub(r"^(    )((?:void|int|size_t) (?:family|name)##_)", r"\1static \2", text,
                  flags=re.MULTILINE)


def without_sources(text):
    """Which interfaces of the system are wanted is said once, at the top."""
    return re.sub(r"^#define _(GNU|POSIX_C|XOPEN)_SOURCE.*\n", "", text, flags=re.MULTILINE)


class Amalgamation:
    def __init__(self, cjson, table):
        self.cjson, self.table = cjson, table
        self.seen, self.headers, self.files = set(), [], []
        for room in re.findall(r"^([a-z/]+):", read("rooms"), re.MULTILINE):
            folder = os.path.join(EXT, room)
            for name in sorted(os.listdir(folder)):
                if name.endswith(".c"):
                    self.add_file(f"{room}/{name}")

    def is_part(self, header):
        code = re.sub(r"/\*.*?\*/", "", read(header), flags=re.DOTALL)
        return bool(re.search(r"\b(TARGET|INLINE|FAMILY)\b", code))

    def include(self, match, parts):
        """What stands in place of an include."""
        kind, name = match.groups()
        if name == "cjson/cJSON.h":
            if name not in self.seen:
                self.seen.add(name)
                self.headers.append((name, self.cjson_header()))
            return ""
        if kind == "<":
            return match.group(0)
        if self.is_part(name):
            if name in parts:
                return ""
            parts.add(name)
            return self.resolve(read(name), parts)
        if name not in self.seen:
            self.seen.add(name)
            text = self.resolve(read(name), set())
            self.headers.append((name, made_static(text)))
        return ""

    def resolve(self, text, parts):
        return INCLUDE.sub(lambda match: self.include(match, parts), without_sources(text))

    def add_file(self, path):
        text = self.resolve(read(path), set())
        self.files.append(File(path, text, made_static(text)))

    def cjson_text(self, name):
        with open(os.path.join(self.cjson, name), encoding="utf-8") as file:
            return file.read()

    def cjson_header(self):
        """With functions that are static, whatever the header says that they are."""
        text = self.cjson_text("cJSON.h")
        if "CJSON_PUBLIC" not in text:
            raise SystemExit("cJSON's sources are not here: CJSON=folder names them")
        first = text.index("CJSON_PUBLIC(const char")
        at = text.rindex("\n", 0, text.rindex("/*", 0, first)) + 1
        return (text[:at] + "#undef CJSON_PUBLIC\n#define CJSON_PUBLIC(type) static type\n" +
                text[at:])

    def cjson_file(self):
        text = self.cjson_text("cJSON.c")
        text = re.sub(r'^#include "cJSON.h"\n', "", text, flags=re.MULTILINE)
        return File("cjson/cJSON.c", text, text)

    def common(self, files):
        """The names and tags that more than one file has, or a file and a header."""
        names, tags = collections.Counter(), collections.Counter()
        for file in files:
            names.update(file.names)
            tags.update(file.tags)
        for _, text in self.headers:
            names.update(set(filter(NAME.match, words(text))))
            tags.update(set(TAG.findall(text)))
        names.update(SYSTEM_NAMES)
        return [{name for name, n in counter.items() if n > 1} for counter in (names, tags)]

    def opaque(self, file):
        """The types that the header of a file names and the file defines."""
        header = file.path[:-2] + ".h"
        return {tag for path, text in self.headers if path == header for tag in TAG.findall(text)}

    def write(self, out):
        cjson = self.cjson_file()
        files = [cjson] + self.files
        names, tags = self.common(files)
        version = {"version": re.search(r'"(.*)"', read("extension/version.h")).group(1)}
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, "rerank.h"), "w", encoding="utf-8") as file:
            file.write(HEADER % version)
        with open(os.path.join(out, "rerank.c"), "w", encoding="utf-8") as file:
            file.write(TOP % version)
            for path, text in self.headers:
                file.write(f"/* ==== {path} ==== */\n{text}\n")
            with open(self.table, encoding="ascii") as table:
                file.write("/* ==== embedded/table.bin ==== */\n" +
                           INCLUDE.sub("", table.read()).replace("const", "static const", 1))
            for each in files:
                file.write(f"/* ==== {each.path} ==== */\n")
                text = each.renamed(names, tags - self.opaque(each)) + each.ending()
                file.write(self.guarded(each, text))

    @staticmethod
    def guarded(file, text):
        """The room that reaches a network, and what stands in its place."""
        if not file.path.startswith("http/"):
            return text
        condition = "ifdef" if file.path == ABSENT else "ifndef"
        return f"#{condition} RERANK_NO_REMOTE\n{text}#endif\n"


def main():
    parser = argparse.ArgumentParser(description="writes rerank.c and rerank.h")
    parser.add_argument("--cjson", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    Amalgamation(options.cjson, options.table).write(options.out)


if __name__ == "__main__":
    main()
