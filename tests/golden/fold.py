"""fold.py: what text/unicode/fold.h promises for letters, worked out by Python's unicodedata.

    python3 tests/golden/fold.py > tests/golden/fold.txt

Each line is sixteen characters from the one named on: what each becomes, = where it stays, - where
nothing is left, . where it is no letter or mark. tests/unit/text/test_fold.c compares.
"""
import unicodedata

# Latin-1 to Extended-B, Greek and Coptic, Cyrillic and its Supplement, Latin Extended Additional,
# Greek Extended, full-width forms.
BLOCKS = [(0xC0, 0x24F), (0x370, 0x52F), (0x1E00, 0x1FFF), (0xFF10, 0xFF5F)]
# Unicode sees no accent in a stroke, nor two letters in these; readers do.
OWN = {"ø": "o", "đ": "d", "ħ": "h", "ł": "l", "ŧ": "t", "ŋ": "n", "ı": "i", "ĸ": "k",
       "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}


def is_letter(character):
    return unicodedata.category(character) in ("Lu", "Ll", "Lt", "Lo", "Nd")


def letters(text):
    return "".join(filter(is_letter, unicodedata.normalize("NFKD", text)))


def fold(character):
    # Marks go before the case does: the case of a subscript iota is a whole letter.
    folded = letters(letters(character).casefold())
    return "".join(OWN.get(letter, letter) for letter in folded)


def entry(character):
    if not is_letter(character) and not unicodedata.category(character).startswith("M"):
        return "."
    folded = fold(character)
    return "=" if folded == character else folded or "-"


def main():
    for first, last in BLOCKS:
        for row in range(first, last + 1, 16):
            entries = [entry(chr(code)) for code in range(row, row + 16)]
            if set(entries) != {"."}:
                print("%04X %s" % (row, " ".join(entries)))


if __name__ == "__main__":
    main()
