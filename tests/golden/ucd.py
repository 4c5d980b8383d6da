"""ucd.py: writes the tables of ext/text/ucd.h from Python's unicodedata.

    python3 tests/golden/ucd.py ext/text
"""
import os
import sys
import unicodedata as u

# White_Space of PropList.txt.
SPACE = {*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
         0x3000}
BLOCK = 128
HEAD = """/*
 * {name}: written by tests/golden/ucd.py from the Unicode Character Database
 * {version}. ucd.h says what is in it.
 */
#include "text/ucd.h"

// clang-format off
"""


def flags(c):
    category = u.category(chr(c))
    return ((1 if c in SPACE else 0) | (2 if category in ("Cc", "Cf", "Co") else 0)
            | (4 if category[0] == "P" else 0) | (8 if category == "Mn" else 0)
            | (16 if category[0] == "M" or c == 0x200D or 0x1F3FB <= c <= 0x1F3FF else 0)
            | (32 if category[0] in "LNM" or category == "Pc" else 0))


def array(name, kind, values, storage="const"):
    lines = [f"{storage} {kind} {name}[{len(values)}] = {{"]
    line = ""
    for value in values:
        word = f"{value},"
        if len(line) + len(word) > 96:
            lines.append("    " + line)
            line = ""
        line += word
    return "\n".join(lines + ["    " + line, "};\n"])


def mapping(name, pairs):
    """A struct ucd_map: pairs of a character and what it becomes."""
    starts, values = [0], []
    for _, text in pairs:
        values += map(ord, text)
        starts.append(len(values))
    parts = [array(f"{name}_{what}", kind, numbers, "static const")
             for what, kind, numbers in (("characters", "uint32_t", [c for c, _ in pairs]),
                                         ("starts", "uint16_t", starts), ("values", "uint32_t", values))]
    return "\n".join(parts) + (f"\nconst struct ucd_map ucd_{name} = "
                               f"{{{name}_characters, {name}_starts, {name}_values, {len(pairs)}}};\n")


def write(folder, name, *tables):
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.write(HEAD.format(name=name, version=u.unidata_version) + "\n".join(tables))


def changed(characters, change):
    return [(c, change(chr(c))) for c in characters if change(chr(c)) != chr(c)]


def main(folder):
    blocks, index = {}, []
    for start in range(0, 0x110000, BLOCK):
        block = tuple(flags(c) for c in range(start, start + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    above = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
    # Hangul syllables are decomposed by arithmetic.
    others = [c for c in above if not 0xAC00 <= c < 0xD7A4]
    canonical = changed(others, lambda text: u.normalize("NFD", text))
    compatible = [(c, u.normalize("NFKD", chr(c))) for c in others
                  if u.normalize("NFKD", chr(c)) != u.normalize("NFD", chr(c))]
    classes = [x for c in others if u.combining(chr(c)) for x in (c, u.combining(chr(c)))]
    pairs = sorted([int(x, 16) for x in u.decomposition(chr(c)).split()] + [c] for c in others
                   if len(u.decomposition(chr(c)).split()) == 2 and u.decomposition(chr(c))[0] != "<"
                   and u.normalize("NFC", chr(c)) == chr(c))
    write(folder, "ucd_blocks.c", array("ucd_blocks", "uint8_t", index))
    write(folder, "ucd_flags.c", array("ucd_flags", "uint8_t", [x for block in blocks for x in block]))
    write(folder, "ucd_canonical.c", mapping("canonical", canonical))
    write(folder, "ucd_compatible.c", mapping("compatible", compatible))
    write(folder, "ucd_lower.c", mapping("lower", changed(above, str.lower)))
    write(folder, "ucd_marks.c", array("ucd_classes", "uint32_t", classes),
          array("ucd_pairs", "uint32_t", [x for pair in pairs for x in pair]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
