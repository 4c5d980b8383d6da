"""unicode.py: the tables of text/unicode.h, worked out by Python's unicodedata (Unicode 14.0).

    python3 tests/golden/unicode.py

writes ext/text/unicode_properties.c, unicode_decompositions.c and unicode_compositions.c. The reference reads each
property with the tables of another version of Unicode; what those tell differently is listed here:
general categories of 8.0, canonical and compatibility decompositions and combining classes of 9.0,
word characters and grapheme clusters of 16.0, lower case of 17.0. A character that such a version
does not know is no control, mark or punctuation, and does not decompose.
"""
import os
import subprocess
import unicodedata

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ext", "text")
TABLE_END = 0x20000  # above: ranges only
BLOCK = 32

# General category, Unicode 8.0: what is not there yet, and what was of another category.
NO_CONTROL = "890-891 8E2 110CD 13430-13438"
NO_NONSPACING = """
7FD 898-89F 8CA-8E1 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA 180F 1885-1886 1ABF-1ACE 1DF6-1DFA
A82C A8C5 A8FF A9BD 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 111C9
111CF 1123E 1133B 11438-1143F 11442-11444 11446 1145E 1182F-11837 11839-1183A 1193B-1193C 1193E
11943 119D4-119D7 119DA-119DB 119E0 11A01-11A0A 11A33-11A38 11A3B-11A3E 11A47 11A51-11A56
11A59-11A5B 11A8A-11A96 11A98-11A99 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 11CAA-11CB0
11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97
11EF3-11EF4 16F4F 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024
1E026-1E02A 1E130-1E136 1E2AE 1E2EC-1E2EF 1E944-1E94A"""
ALSO_NONSPACING = "1734"
NO_PUNCTUATION = """
61D 9FD A76 C77 C84 1B7D-1B7E 2E43-2E4F 2E52-2E5D 10EAD 10F55-10F59 10F86-10F89 1144B-1144F
1145A-1145B 1145D 11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2
11C41-11C45 11C70-11C71 11EF7-11EF8 11FFF 12FF1-12FF2 16E97-16E9A 16FE2 1E95E-1E95F"""
ALSO_PUNCTUATION = "166D 111C9"

# Marks and combining classes, Unicode 9.0.
NO_MARK = """
7FD 898-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA 1715 180F 1ABF-1ACE 1CF7 1DF6-1DFA
A82C A8FF 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 11145-11146 111C9
111CE-111CF 1133B 1145E 1182C-1183A 11930-11935 11937-11938 1193B-1193E 11940 11942-11943
119D1-119D7 119DA-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99
11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6
16F4F 16F7F-16F87 16FE4 16FF0-16FF1 1CF00-1CF2D 1CF30-1CF46 1E130-1E136 1E2AE 1E2EC-1E2EF"""
ALSO_MARK = "1CF2-1CF3"
NO_CLASS = """
7FD 898-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA A82C 10D24-10D27 10EAB-10EAC
10F46-10F50 10F82-10F85 11070 1133B 1145E 11839-1183A 1193D-1193E 11943 119E0 11A34 11A47 11A99
11D42 11D44-11D45 11D97 16FF0-16FF1 1E130-1E136 1E2AE 1E2EC-1E2EF"""
NO_DECOMPOSITION = "32FF A7F2-A7F4 AB69 10781-10785 10787-107B0 107B2-107BA 11938 1F16C 1FBF0-1FBF9"

# \w of UTS 18, Unicode 16.0: Alphabetic, marks, decimal digits, connectors, joiners.
ALSO_ALPHABETIC = "24B6-24E9 1F130-1F149 1F150-1F169 1F170-1F189"
ALSO_WORD = """
200C-200D 897 CF3 ECE 1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D40-10D65 10D69-10D6D
10D6F-10D85 10EC2-10EC4 10EFC-10EFF 1123F-11241 11380-11389 1138B 1138E 11390-113B5 113B7-113C0
113C2 113C5 113C7-113CA 113CC-113D3 113E1-113E2 116D0-116E3 11BC0-11BE0 11BF0-11BF9 11F00-11F10
11F12-11F3A 11F3E-11F42 11F50-11F5A 1342F 13440-13455 13460-143FA 16100-16139 16D40-16D6C
16D70-16D79 18CFF 1B132 1B155 1CCF0-1CCF9 1DF25-1DF2A 1E030-1E06D 1E08F 1E4D0-1E4F9 1E5D0-1E5FA
2B739 2EBF0-2EE5D 31350-323AF"""

# Grapheme_Cluster_Break of UAX 29, Unicode 16.0: Extend, ZWJ and SpacingMark; Prepend; Control.
NO_EXTEND = """
102B-102C 1038 1062-1064 1067-106D 1083 1087-108C 108F 109A-109C 1A61 1A63-1A64 AA7B AA7D
11720-11721"""
ALSO_EXTEND = """
200C-200D 897 CF3 E33 EB3 ECE FF9E-FF9F 10D69-10D6D 10EFC-10EFF 11241 113B8-113C0 113C2 113C5
113C7-113CA 113CC-113D0 113D2 113E1-113E2 11F00-11F01 11F03 11F34-11F3A 11F3E-11F42 11F5A 13440
13447-13455 1611E-1612F 1E08F 1E4EC-1E4EF 1E5EE-1E5EF 1F3FB-1F3FF E0020-E007F"""
PREPEND = """
600-605 6DD 70F 890-891 8E2 D4E 110BD 110CD 111C2-111C3 113D1 1193F 11941 11A3A 11A84-11A89 11D46
11F02"""
ALSO_BREAK = "2065 FFF0-FFF8"

# Lower case, Unicode 17.0: first, last, step, distance.
ALSO_LOWER = [
    (0x1C89, 0x1C89, 1, 1), (0xA7CB, 0xA7CB, 1, 0x264 - 0xA7CB), (0xA7CC, 0xA7CE, 2, 1),
    (0xA7D2, 0xA7D4, 2, 1), (0xA7DA, 0xA7DA, 1, 1), (0xA7DC, 0xA7DC, 1, 0x19B - 0xA7DC),
    (0x10D50, 0x10D65, 1, 0x20), (0x16EA0, 0x16EB8, 1, 27)]

WHITE_SPACE = "9-D 20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
IDEOGRAPHS = "3400-4DBF 4E00-9FFF F900-FAFF 20000-2A6DF 2A700-2B81F 2B920-2CEAF 2F800-2FA1F"

ALL = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def codes(text):
    found = set()
    for item in text.split():
        first, _, last = item.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


def of_category(*categories):
    return {code for code in ALL if unicodedata.category(chr(code)).startswith(categories)}


def decomposition(code, form):
    if code in codes(NO_DECOMPOSITION) or 0xAC00 <= code <= 0xD7A3:
        return None
    text = unicodedata.normalize(form, chr(code))
    return None if text == chr(code) else [ord(character) for character in text]


def lower_case():
    lower = {}
    for code in ALL:
        text = chr(code).lower()
        if text != chr(code) and len(text) == 1:
            lower[code] = ord(text)
    for first, last, step, distance in ALSO_LOWER:
        lower.update({code: code + distance for code in range(first, last + 1, step)})
    return lower


def lower_ranges(lower):
    """(first, last, step, distance), as few as a greedy walk finds."""
    ranges = []
    for code in sorted(lower):
        distance = lower[code] - code
        if ranges:
            first, last, step, known = ranges[-1]
            gap = code - last
            if known == distance and (gap == step or (first == last and gap <= 2)):
                ranges[-1] = (first, code, gap, distance)
                continue
        ranges.append((code, code, 1, distance))
    return ranges


class Properties:
    """The record of a character: flags in bits 0 to 12, combining class in bits 16 to 23."""

    def __init__(self, lower, canonical, compatible):
        marks = of_category("M")
        punctuation = of_category("P") | {code for code in range(128)
                                          if unicodedata.category(chr(code))[0] in "PS"}
        flags = [
            (of_category("Cc", "Cf", "Co") - codes("9-A D " + NO_CONTROL)) | {0xFFFD},
            (of_category("Mn") - codes(NO_NONSPACING)) | codes(ALSO_NONSPACING),
            (punctuation - codes(NO_PUNCTUATION)) | codes(ALSO_PUNCTUATION),
            of_category("L", "M", "Nd", "Nl", "Pc") | codes(ALSO_ALPHABETIC) | codes(ALSO_WORD),
            (marks - codes(NO_MARK)) | codes(ALSO_MARK),
            (marks - codes(NO_EXTEND)) | codes(ALSO_EXTEND),
            codes(PREPEND),
            (of_category("Cc", "Cf", "Zl", "Zp") | codes(ALSO_BREAK)) - codes(PREPEND)
            - codes("200C-200D E0020-E007F"),
            codes(WHITE_SPACE), codes(IDEOGRAPHS), set(lower) | {0x130}, set(canonical),
            set(compatible) | set(canonical)]
        no_class = codes(NO_CLASS)
        self.records = {}
        for code in ALL:
            record = sum(1 << bit for bit, members in enumerate(flags) if code in members)
            if code not in no_class:
                record |= unicodedata.combining(chr(code)) << 16
            self.records[code] = record

    def get(self, code):
        return self.records.get(code, 0)


def numbers(values):
    return ", ".join(str(value) if value < 10 else f"0x{value:X}" for value in values)


def array(kind, name, values):
    return f"const {kind} {name}[{len(values)}] = {{{numbers(values)}}};\n"


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("/* Made by tests/golden/unicode.py, from Unicode "
                   f"{unicodedata.unidata_version}. */\n#include \"text/unicode_tables.h\"\n\n")
        file.write(text)
    subprocess.run(["clang-format", "-i", path], check=True)


def ranges_above(properties):
    """(first, record) where the record changes, from TABLE_END on."""
    found, last = [], None
    for code in range(TABLE_END, 0x110000):
        record = properties.get(code)
        if record != last:
            found.append((code, record))
        last = record
    return found


def write_properties(properties, lower):
    records, numbers_of, blocks, index, table = [], {}, {}, [], []
    for start in range(0, TABLE_END, BLOCK):
        block = []
        for code in range(start, start + BLOCK):
            record = properties.get(code)
            if record not in numbers_of:
                numbers_of[record] = len(records)
                records.append(record)
            block.append(numbers_of[record])
        if tuple(block) not in blocks:
            blocks[tuple(block)] = len(blocks)
            table.extend(block)
        index.append(blocks[tuple(block)])
    above = ranges_above(properties)
    text = "/* Records: see unicode.h. */\n"
    text += array("uint32_t", "unicode_records", records)
    text += "\n/* The block of each 32 characters below U+20000. */\n"
    text += array("uint16_t", "unicode_blocks", index)
    text += "\n/* The record's number of each character of a block. */\n"
    text += array("uint8_t", "unicode_block_records", table)
    text += "\n/* From U+20000 on: where another record begins, and that record. */\n"
    text += f"const uint32_t unicode_above[{len(above)}][2] = {{"
    text += ", ".join(f"{{0x{first:X}, 0x{record:X}}}" for first, record in above) + "};\n"
    text += f"const size_t unicode_above_n = {len(above)};\n"
    ranges = lower_ranges(lower)
    text += "\n/* Lower case: each `step`-th character, and how far its small letter is. */\n"
    text += f"const struct unicode_lower unicode_lower[{len(ranges)}] = {{"
    text += ", ".join(f"{{0x{first:X}, 0x{last:X}, {step}, {distance}}}"
                      for first, last, step, distance in ranges) + "};\n"
    text += f"const size_t unicode_lower_n = {len(ranges)};\n"
    write("unicode_properties.c", text)


def units(text):
    data = "".join(map(chr, text)).encode("utf-16-le")
    return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]


def runs(table):
    """Neighbours whose decompositions have the same number of units share one entry."""
    entries, pool = [], []
    for code in sorted(table):
        data = units(table[code])
        if entries and entries[-1][0] + entries[-1][1] == code and entries[-1][2] == len(data):
            entries[-1][1] += 1
        else:
            entries.append([code, 1, len(data), len(pool)])
        pool.extend(data)
    return entries, pool


def write_decompositions(canonical, compatible):
    text = ""
    for name, table in (("canonical", canonical), ("compatible", compatible)):
        entries, pool = runs(table)
        text += f"const struct unicode_run unicode_{name}_runs[{len(entries)}] = {{"
        text += ", ".join("{0x%X, %d, %d, %d}" % tuple(entry) for entry in entries) + "};\n"
        text += f"const size_t unicode_{name}_n = {len(entries)};\n\n"
        text += array("uint16_t", f"unicode_{name}_units", pool) + "\n"
    write("unicode_decompositions.c", text)


def write_compositions(canonical):
    pairs = []
    for code in canonical:
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and unicodedata.normalize("NFC", chr(code)) == chr(code):
            pairs.append((int(parts[0], 16), int(parts[1], 16), code))
    text = "/* Primary composites by what they are made of, ascending. */\n"
    text += f"const struct unicode_pair unicode_pairs[{len(pairs)}] = {{"
    text += ", ".join("{0x%X, 0x%X, 0x%X}" % pair for pair in sorted(pairs)) + "};\n"
    text += f"const size_t unicode_pairs_n = {len(pairs)};\n"
    write("unicode_compositions.c", text)


def main():
    lower = lower_case()
    canonical, compatible = {}, {}
    for code in ALL:
        plain, loose = decomposition(code, "NFD"), decomposition(code, "NFKD")
        if plain is not None:
            canonical[code] = plain
        if loose is not None and loose != plain:
            compatible[code] = loose
    write_properties(Properties(lower, canonical, compatible), lower)
    write_decompositions(canonical, compatible)
    write_compositions(canonical)


if __name__ == "__main__":
    main()
