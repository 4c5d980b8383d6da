"""reference.py: vectors of builtin:static in plain Python, from table.bin: the oracle of its tests.

    python3 tests/golden/embedded/reference.py >tests/golden/embedded/golden.txt

Whole numbers, and doubles in the order in which the library adds them: the same bytes. A line of
golden.txt is a text (as JSON), the first four components, and the SHA-256 of all 384 float32. It
knows no spelling but Unicode's NFKC: texts with letters of Arabic, or of Hangul, are not for it.
"""
import hashlib
import json
import math
import os
import struct
import unicodedata

from pack import ROW, Table

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "..", "..", "..", "ext", "embedded", "table.bin")
DIMENSIONS = 8 * ROW
UNKNOWN_SCALE = 50332
LONGEST_WORD = 100

TEXTS = (
    "The Dark Knight returns to Gotham's streets, don't you know?",
    "bats",
    "Bats BATS bats.",
    "super hero mystery action movie about bats",
    "gateway/run.py v1.1.6 e=mc2 C++ part number XJ-4500b",
    "un caf\u00e9, une cr\u00e8me br\u00fbl\u00e9e na\u00efve; Stra\u00dfe, \u0141\u00f3d\u017a",
    "cafe\u0301 \ufb01nd \uff21\uff22\uff23 \u2460 x\u00b2",
    "\u6771\u4eac\u90fd\u306b\u884c\u304f",
    "\u6771\u4eac tower, \u30bf\u30ef\u30fc",
    "\u043c\u043e\u0441\u043a\u0432\u0430 \u2014 moscow",
    "\u201cquoted\u201d \u2192 arrows, don\u2019t",
    "?!",
    "\u3002\u3002",
    "a " * 40 + "zebra",
)


def signs_of(data):
    return [1 if data[j // 8] >> (j % 8) & 1 else -1 for j in range(DIMENSIONS)]


def gram_signs(gram):
    data = b""
    for _ in range(ROW // 8):
        gram = (gram + 0x9E3779B97F4A7C15) % 2**64
        bits = (gram ^ gram >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        data += struct.pack("<Q", bits ^ bits >> 31)
    return signs_of(data)


def is_dense(character):
    """Of the scripts in the texts here those that write no spaces; pictographs."""
    code = ord(character)
    return 0x3000 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or code >= 0x1F000


def grams(word):
    size = 2 if is_dense(word[0]) else 3
    characters = list(word) if size == 2 else ["\x01", *word, "\x01"]
    for i in range(max(1, len(characters) - size + 1)):
        gram = 0
        for character in characters[i:i + size]:
            gram = gram << 21 | ord(character)
        yield gram


def kind_of(character, before):
    category = unicodedata.category(character)
    if character.isspace():
        return "space"
    if character == "\u2019":
        return "mark"
    if category == "Mn":
        return "latin" if before == "latin" else "other"
    code = ord(character)
    if code < 0x250:
        is_mark = 33 <= code < 127 and not character.isalnum() or \
            code >= 128 and category[0] == "P"
        return "mark" if is_mark else "latin"
    if 0x1E00 <= code < 0x1F00:
        return "latin"
    return "other" if category[0] in "LNM" or code >= 0x1F300 else "space"


def fold(word):
    """Case, and of Greek and Cyrillic accents."""
    parts = (unicodedata.normalize("NFD", c) if ord(c) < 0x600 else c for c in word.lower())
    return "".join(c for c in "".join(parts) if unicodedata.category(c) != "Mn")


def stretches(text):
    word, before = "", "space"
    for character in text:
        kind = kind_of(character, before)
        if kind != before or kind == "mark":
            if word:
                yield before, word
            word = ""
        word += character
        before = kind
    if word:
        yield before, word


class Reference:
    def __init__(self, path=TABLE):
        table = Table(path)
        self.rows = {piece.decode(): number for number, piece in enumerate(table.pieces)}
        self.signs = table.rows
        self.scales = [int(scale * 2**24)
                       for scale in struct.unpack(f"<{len(self.rows)}e", table.scale)]

    def pieces(self, word):
        found, at = [], 0
        while at < len(word):
            for end in range(len(word), at, -1):
                number = self.rows.get("##" * (at > 0) + word[at:end])
                if number is not None:
                    break
            else:
                return None
            found.append(number)
            at = end
        return found

    def terms(self, text):
        """(signs, scale) of each row that the text is the sum of."""
        for kind, word in stretches(unicodedata.normalize("NFKC", text)):
            if word == "\u2019":
                word = "'"
            elif kind == "latin":
                word = "".join(c for c in unicodedata.normalize("NFD", word)
                               if unicodedata.category(c) not in ("Mn", "Cc")).lower()
            elif kind == "other":
                word = fold(word)
            if kind == "space" or not word:
                continue
            found = self.pieces(word) if kind != "other" and len(word) <= LONGEST_WORD else None
            if found is None and kind == "mark":
                continue
            if found is None:
                yield from ((gram_signs(gram), UNKNOWN_SCALE) for gram in grams(word))
            else:
                yield from ((signs_of(self.signs[ROW * i:ROW * i + ROW]), self.scales[i])
                            for i in found)

    def embed(self, text):
        """The vector's bytes."""
        sums = [0] * DIMENSIONS
        for signs, scale in self.terms(text):
            for j, sign in enumerate(signs):
                sums[j] += sign * scale
        if not any(sums):
            for gram in grams(text):
                for j, sign in enumerate(gram_signs(gram)):
                    sums[j] += sign * UNKNOWN_SCALE
        squares = 0.0
        for component in sums:
            squares += float(component) * float(component)
        norm = math.sqrt(squares)
        return struct.pack(f"<{DIMENSIONS}f", *(component / norm for component in sums))


def main():
    reference = Reference()
    for text in TEXTS:
        vector = reference.embed(text)
        first = " ".join(f"{component:.9f}" for component in struct.unpack("<4f", vector[:16]))
        print(json.dumps(text), first, hashlib.sha256(vector).hexdigest(), sep="\t")


if __name__ == "__main__":
    main()
