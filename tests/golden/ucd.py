"""ucd.py: writes the tables of ext/text/unicode/ucd.h.

    python3 tests/golden/ucd.py ext/text/unicode

Tokenizers must see what models were trained with, and the reference (Hugging Face's `tokenizers` 0.22) takes each property
from another version of the Unicode Character Database. General categories, grapheme clusters and lower case of those
versions come from the npm packages @unicode/unicode-VERSION (put into build/unicode); decompositions and
combining classes, which never change once a character is assigned, from Python's unicodedata.
"""
import json
import os
import subprocess
import sys
import unicodedata as u

BERT = "8.0.0"      # control, punctuation, nonspacing marks
FORMS = "9.0.0"     # decompositions, combining classes, marks of every kind
WORDS = "16.0.0"    # what a word of a regular expression is; grapheme clusters
LETTERS = "17.0.0"  # lower case
PACKAGES = "build/unicode"
BLOCK = 128
HEAD = """/*
 * {name}: written by tests/golden/ucd.py from the Unicode Character Database
 * of several versions. ucd.h says what is in it.
 */
#include "text/unicode/ucd.h"

// clang-format off
"""
# What the packages say: of each version the categories, of one what else is asked for.
READ = """
const at = (version, path) => import(`@unicode/unicode-${version}/${path}.mjs`).then((module) => module.default);
const out = {categories: {}, sets: {}};
for (const version of process.argv.slice(1, 4)) {
  const all = out.categories[version] = {};
  for (const [c, category] of await at(version, 'General_Category/index'))
    (all[category] ??= []).push(c);
}
const words = process.argv[3], letters = process.argv[4];
for (const path of ['Binary_Property/White_Space', 'Binary_Property/Alphabetic', 'Binary_Property/Join_Control',
                    ...['CR', 'LF', 'Control', 'Extend', 'SpacingMark', 'ZWJ', 'Prepend'].map(
                        (name) => `Grapheme_Cluster_Break/${name}`)])
  out.sets[path.split('/')[1]] = await at(words, path + '/code-points');
out.lower = [...await at(letters, 'Simple_Case_Mapping/Lowercase/code-points')];
process.stdout.write(JSON.stringify(out));
"""


def read_packages():
    os.makedirs(PACKAGES, exist_ok=True)
    versions = [BERT, FORMS, WORDS, LETTERS]
    subprocess.run(["npm", "install", "--prefix", PACKAGES, "--no-package-lock", "--no-save", "--no-audit", "--no-fund", "--silent",
                    *(f"@unicode/unicode-{version}" for version in versions)], check=True)
    read = subprocess.run(["node", "--input-type=module", "-e", READ, *versions], cwd=PACKAGES, check=True, stdout=subprocess.PIPE)
    return json.loads(read.stdout)


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
        file.write(HEAD.format(name=name) + "\n".join(tables))


def changed(characters, change):
    return [(c, change(chr(c))) for c in characters if change(chr(c)) != chr(c)]


def flags(data):
    """The properties of every character, as enum ucd_property has them."""
    def category(version, *names):
        return (c for name in names for c in data["categories"][version].get(name, ()))

    sets, punctuation = data["sets"], [f"{kind}_Punctuation" for kind in (
        "Connector", "Dash", "Open", "Close", "Initial", "Final", "Other")]
    marks = ("Nonspacing_Mark", "Enclosing_Mark", "Spacing_Mark")
    out = bytearray(0x110000)
    for bit, characters in enumerate((
            sets["White_Space"],
            category(BERT, "Control", "Format", "Private_Use"),
            category(BERT, *punctuation),
            category(BERT, "Nonspacing_Mark"),
            category(FORMS, *marks),
            [*sets["Alphabetic"], *sets["Join_Control"],
             *category(WORDS, *marks, "Decimal_Number", "Connector_Punctuation")],
            [*sets["Extend"], *sets["SpacingMark"], *sets["ZWJ"], *sets["Prepend"]],
            [*sets["Control"], *sets["CR"], *sets["LF"], *sets["Prepend"]])):
        for c in characters:
            out[c] |= 1 << bit
    return out


def main(folder):
    data = read_packages()
    blocks, index, properties = {}, [], flags(data)
    for start in range(0, 0x110000, BLOCK):
        block = bytes(properties[start:start + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    unassigned = {*data["categories"][FORMS]["Unassigned"], *data["categories"][FORMS]["Surrogate"]}
    # Hangul syllables are decomposed by arithmetic.
    others = [c for c in range(0x80, 0x110000) if c not in unassigned and not 0xAC00 <= c < 0xD7A4]
    canonical = changed(others, lambda text: u.normalize("NFD", text))
    compatible = [(c, u.normalize("NFKD", chr(c))) for c in others
                  if u.normalize("NFKD", chr(c)) != u.normalize("NFD", chr(c))]
    classes = [x for c in others if u.combining(chr(c)) for x in (c, u.combining(chr(c)))]
    pairs = sorted([int(x, 16) for x in u.decomposition(chr(c)).split()] + [c] for c in others
                   if len(u.decomposition(chr(c)).split()) == 2 and u.decomposition(chr(c))[0] != "<"
                   and u.normalize("NFC", chr(c)) == chr(c))
    # In full, of one character: SpecialCasing.txt adds one entry.
    lower = sorted([(c, chr(to)) for c, to in data["lower"] if c >= 0x80 and c != 0x130] + [(0x130, "i\u0307")])
    write(folder, "ucd_blocks.c", array("ucd_blocks", "uint8_t", index))
    write(folder, "ucd_flags.c", array("ucd_flags", "uint8_t", [x for block in blocks for x in block]))
    write(folder, "ucd_canonical.c", mapping("canonical", canonical))
    write(folder, "ucd_compatible.c", mapping("compatible", compatible))
    write(folder, "ucd_lower.c", mapping("lower", lower))
    write(folder, "ucd_marks.c", array("ucd_classes", "uint32_t", classes),
          array("ucd_pairs", "uint32_t", [x for pair in pairs for x in pair]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
