"""source.py: a C file as the checks read it."""
import os
import re

# A comment or what stands between quotes.
BLANKED = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.MULTILINE | re.DOTALL)
# What begins at the margin, up to the body of a function, a value, or the end of a declaration.
TOP_LEVEL = re.compile(r"^([A-Za-z_][^;{}=]*)([;{}=])", re.MULTILINE)


class Source:
    """`text`, `lines`; `code`: the lines without comments and without what stands between
    quotes."""

    def __init__(self, root, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.path = os.path.relpath(path, root).replace(os.sep, "/")
        self.lines = self.text.splitlines()
        self.stripped = BLANKED.sub(blank, self.text)
        self.code = self.stripped.splitlines()
        self.generated = any("generated" in line.lower() for line in self.lines[:5])

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

    def definitions(self):
        """(name, whether other files see it, body) of each function and variable at the margin."""
        text = DIRECTIVE.sub(blank, self.stripped)
        hidden = {"static", "typedef"} | static_macros(self.stripped)
        for match in TOP_LEVEL.finditer(text):
            head, end = match.group(1).rsplit("\n\n", 1)[-1].strip(), match.group(2)
            words = set(re.findall(r"\w+", head))
            name = function_name(head) if end == "{" else variable_name(head) if end in ";=" else ""
            if name and "extern" not in words:
                close = text.find("\n}", match.end())
                body = text[match.end():close] if end == "{" and close >= 0 else ""
                yield name, not words & hidden, body

    def macro_bodies(self):
        return " ".join(re.sub(r"^\s*#\s*define\s+\w+(\([^)]*\))?", "", text)
                        for text in DIRECTIVE.findall(self.stripped) if "define" in text[:20])


def blank(match):
    token = match.group(0)
    if token[0] in "\"'":
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
    return re.sub(r"[^\n]", " ", token)


def static_macros(stripped):
    """Macros that say `static`: what they stand before is not seen by other files."""
    return set(re.findall(r"^\s*#\s*define\s+(\w+)[ \t](?:[^\n\\]|\\.)*\bstatic\b", stripped,
                          re.MULTILINE | re.DOTALL))


def function_name(head):
    """The word before the last pair of parentheses, which hold the parameters."""
    if not head.endswith(")"):
        return ""
    depth = 0
    for place in range(len(head) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(head[place], 0)
        if depth == 0:
            match = re.search(r"[\w*]\s*\b(\w+)\s*$", head[:place])
            return match.group(1) if match else ""
    return ""


def variable_name(head):
    """The last word, where a type stands before it and it is no prototype, type or label."""
    head = re.sub(r"(\s*\[[^\]]*\])+$", "", head)
    if re.search(r"[():]", head) or re.match(r"(struct|union|enum)\s+\w+$|(return|goto)\b", head):
        return ""
    match = re.search(r"[\w*]\s+\**(\w+)$", head)
    return match.group(1) if match else ""
