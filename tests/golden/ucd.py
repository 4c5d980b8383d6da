"""ucd.py: writes ext/text/ucd_tables.c from Python's unicodedata.

    python3 tests/golden/ucd.py >ext/text/ucd_tables.c; make format
"""
import unicodedata as u

SPACE = [0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
         0x202F, 0x205F, 0x3000]  # White_Space, PropList.txt
SPACE = set(SPACE)
BLOCK = 128


def flags(c):
    category = u.category(chr(c))
    return ((1 if c in SPACE else 0) | (2 if category in ("Cc", "Cf", "Co") else 0)
            | (4 if category[0] == "P" else 0) | (8 if category == "Mn" else 0)
            | (16 if category in ("Mn", "Me", "Mc") or c == 0x200D or 0x1F3FB <= c <= 0x1F3FF else 0)
            | (32 if category[0] in "LN" or category[0] == "M" or category == "Pc" else 0))


def rows(name, kind, values):
    print(f"// clang-format off\nconst {kind} {name}[{len(values)}] = {{")
    line = "   "
    for value in values:
        word = f" {value},"
        if len(line) + len(word) > 100:
            print(line)
            line = "   "
        line += word
    print(line + "\n};\n// clang-format on\n")


blocks, index = {}, []
for start in range(0, 0x110000, BLOCK):
    block = tuple(flags(c) for c in range(start, start + BLOCK))
    index.append(blocks.setdefault(block, len(blocks)))
print("/*\n * ucd_tables.c: written by tests/golden/ucd.py from the Unicode Character Database"
      f"\n * {u.unidata_version}. ucd.h says what is in them.\n */\n#include \"text/ucd.h\"\n")
rows("ucd_blocks", "uint8_t", index)
rows("ucd_flags", "uint8_t", [x for block in blocks for x in block])
lower, decomposed = [], []
for c in range(0x80, 0x110000):
    if 0xD800 <= c < 0xE000:
        continue
    text = chr(c).lower()
    if text != chr(c):
        lower.append((c, [ord(x) for x in text]))
    if 0xAC00 <= c < 0xD7A4:
        continue
    text = u.normalize("NFD", chr(c))
    if text != chr(c):
        decomposed.append((c, [ord(x) for x in text]))
for name, table, width in (("ucd_lower", lower, 2), ("ucd_decomposed", decomposed, 4)):
    values = []
    for c, to in table:
        values += [hex(c)] + [hex(x) for x in to] + ["0"] * (width - len(to))
    rows(name, "uint32_t", values)

codes, starts, values, classes, pairs = [], [], [], [], []
for c in range(0x80, 0x110000):
    if 0xD800 <= c < 0xE000 or 0xAC00 <= c < 0xD7A4:
        continue
    if u.combining(chr(c)):
        classes += [hex(c), u.combining(chr(c))]
    text = u.normalize("NFKD", chr(c))
    if text != u.normalize("NFD", chr(c)):
        codes.append(hex(c))
        starts.append(len(values))
        values += [hex(ord(x)) for x in text]
    parts = u.decomposition(chr(c)).split()
    if len(parts) == 2 and parts[0][0] != "<" and u.normalize("NFC", chr(c)) == chr(c):
        pairs.append((int(parts[0], 16), int(parts[1], 16), c))
starts.append(len(values))
rows("ucd_compatible_codes", "uint32_t", codes)
rows("ucd_compatible_starts", "uint16_t", starts)
rows("ucd_compatible_values", "uint32_t", values)
rows("ucd_classes", "uint32_t", classes)
rows("ucd_pairs", "uint32_t", [hex(x) for pair in sorted(pairs) for x in pair])
