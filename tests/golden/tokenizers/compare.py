"""compare.py: token_ids() beside Hugging Face's `tokenizers`, of which an npm package has the code.

    /usr/bin/python3 tests/golden/tokenizers/compare.py LIBRARY [NAME...]

Each normaliser is looked at through a vocabulary of all characters, each pre-tokenizer through one
that tells where words end, Unigram through small random vocabularies, and the published bge
tokenizer (from RERANK_SHARED) as it is. Texts: every character in some surroundings, and random
mixtures of marks, spaces, controls and letters. Prints how many texts have other ids, and examples.
Two texts in 150,000 of the mixtures do with BertNormalizer: marks that came with Unicode 9, which
it keeps, out of order. Some 15 minutes; npm, node and 8 GB of memory are needed.
"""
import base64
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unicodedata as u

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = "build/tokenizers"
CHARACTERS = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
MARK = "\u2581"


# ---- tokenizers ----------------------------------------------------------------------------------

def whole(model, normalizer=None, pre_tokenizer=None, added=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added),
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None,
            "decoder": None, "model": model}


def unigram(pieces):
    return {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], *map(list, pieces)],
            "byte_fallback": False}


def token(number, content, **flags):
    return {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True, "id": number, "content": content, **flags}


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(pairs):
    """SentencePiece's table: a double array as darts-clone lays it out, then the texts."""
    texts, root = b"", {}
    for key, text in pairs.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += text.encode() + b"\0"
    units, used, waiting = {0: 0}, {0}, [(0, root)]
    free = 1
    while waiting:
        at, node = waiting.pop()
        labels = [byte or 0 for byte in node]
        base = free & ~0xFF
        while any((base ^ label) in used or base == label for label in labels):
            base += 1
        units[at] = (units[at] & 0xFF) | ((at ^ base) << 10) | (0x100 if None in node else 0)
        used.update(base ^ label for label in labels)
        while free in used:
            free += 1
        for byte, child in node.items():
            units[base ^ (byte or 0)] = 0x80000000 | child if byte is None else byte
        waiting += [(base ^ byte, child) for byte, child in node.items() if byte is not None]
    n = (max(units) | 0xFF) + 1
    array = struct.pack(f"<{n}I", *(units.get(i, 0) for i in range(n)))
    return base64.b64encode(struct.pack("<I", len(array)) + array + texts).decode()


def mapped():
    """What such a table has: compatible forms, controls, marks, and clusters of every kind."""
    pairs = {c: u.normalize("NFKC", c) for c in CHARACTERS[:0x3200] if u.normalize("NFKC", c) != c}
    pairs.update({chr(c): "" for c in (*range(1, 9), 0xE, 0x7F, 0xAD, 0x200B, 0x200C)})
    pairs.update({c: " " for c in "\t\n\r\u2028\u00A0"})
    for letter in "aeiouncAEIOU":
        for mark in "\u0300\u0301\u0302\u0303\u0308\u0327":
            if len(u.normalize("NFC", letter + mark)) == 1:
                pairs[letter + mark] = u.normalize("NFC", letter + mark)
    return {**pairs, "\r\n": "N", "\u0600a": "P", "\u0E01\u0E33": "TH", "\u0E33": "\u0E4D\u0E32",
            "\u00A9\u200D": "C"}


def normalizers():
    def bert(clean, chinese, accents, lower):
        return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese,
                "strip_accents": accents, "lowercase": lower}

    nfd = {"type": "NFD"}
    table = {"type": "Precompiled", "precompiled_charsmap": charsmap(mapped())}
    steps = {"bert": bert(True, True, None, True), "bert-cased": bert(True, True, False, False),
             "bert-accents": bert(False, False, True, False), "lower": {"type": "Lowercase"},
             "accents": {"type": "StripAccents"},
             "nfd-accents": sequence(nfd, {"type": "StripAccents"}), "nfd": nfd,
             "nfc": {"type": "NFC"}, "nfkd": {"type": "NFKD"}, "nfkc": {"type": "NFKC"},
             "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
             "replace": sequence(replace(" ", Regex="\\s+"), replace("b!", String="aa"),
                                 replace("", String="-")), "spaces": replace("_", Regex="\\s{2,}"),
             "blanks": replace("_", Regex=" {2,}"),
             "precompiled": sequence(table, replace(" ", Regex=" {2,}"))}
    return {name: whole(unigram([c, -1.0] for c in CHARACTERS), step)
            for name, step in steps.items()}


def pre_tokenizers():
    pieces = ["[UNK]", "a", "b", "##a", "##b", " ", "##" + " ", ".", "##.", "-", ",", "e"]
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": {piece: i for i, piece in enumerate(pieces)}}
    isolated = {"type": "Punctuation", "behavior": "Isolated"}
    steps = {"bert-words": {"type": "BertPreTokenizer"}, "whitespace": {"type": "Whitespace"},
             "punctuation": isolated,
             "split": {"type": "Sequence",
                       "pretokenizers": [{"type": "WhitespaceSplit"}, isolated]}}
    added = [token(12, "a.", single_word=True),
             token(13, "-b", lstrip=True, rstrip=True, normalized=True, special=False),
             token(14, "ab", single_word=True, lstrip=True, rstrip=True, special=False)]
    found = {name: whole(model, None, step) for name, step in steps.items()}
    return {**found,
            "added": whole(model, {"type": "Lowercase"}, {"type": "WhitespaceSplit"}, added)}


def small_unigram(seed):
    chance = random.Random(seed)
    letters = "abc\u00E9" + 2 * MARK + "\u65E5.-"
    pieces = {"".join(chance.choices(letters, k=chance.choice((1, 1, 2, 2, 3, 4))))
              for _ in range(60)}
    scores = [[piece, -chance.choice((1, 1.5, 2, 2.25, 5 * chance.random()))]
              for piece in sorted(pieces)]
    pre = {"type": "Metaspace", "replacement": MARK,
           "prepend_scheme": ("always", "first", "never")[seed % 3], "split": not seed & 4}
    if seed >= 12:
        pre = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, pre]}
    added = [token(len(scores) + 1, "<mask>", lstrip=True)] if seed % 2 else []
    normalizer = (None, sequence({"type": "NFKC"}, replace(" ", Regex=" {2,}")),
                  sequence({"type": "Strip", "strip_left": False, "strip_right": True},
                           replace(MARK, Regex=" {2,}")),
                  {"type": "Prepend", "prepend": MARK})[seed % 4]
    return whole(unigram(scores), normalizer, pre, added)


def tokenizers():
    found = {**normalizers(), **pre_tokenizers(),
             **{f"unigram-{i}": small_unigram(i) for i in range(24)}}
    published = os.path.join(os.environ.get("RERANK_SHARED", ""), "models",
                             "bge-small-en-v1.5.tokenizer.json")
    if os.path.exists(published):
        with open(published, encoding="utf-8") as file:
            found["bge"] = {**json.load(file), "truncation": None, "padding": None,
                            "post_processor": None}
    return found


# ---- texts ---------------------------------------------------------------------------------------

def texts_for(name):
    chance = random.Random(1)
    special = [c for c in CHARACTERS if u.category(c)[0] in "MZ"
               or u.category(c) in ("Cf", "Cc", "Lt", "Pc")
               or u.decomposition(c) or "\u1100" <= c < "\u1200"]
    joining = "\u1100\u1161\u11A8\uAC00\uAC01\u0301\u0323\u09BE\u09C7\u0600\u200D\u200C\u3099\uFF9E"
    plain = "aabb..-- ,BAe\t\n"
    if name.startswith("unigram"):
        parts = ["a", "b", "c", " ", "  ", "\u00E9", "\u65E5", ".", "-", "x", "<unk>", "<mask>",
                 MARK, "\u3000", "\t"]
        return ["".join(chance.choices(parts, k=chance.choice((1, 2, 3, 4, 6, 10, 30))))
                for _ in range(20000)]
    mixtures = ["".join(chance.choice(chance.choices((special, plain, CHARACTERS, joining),
                                                     (5, 3, 1, 1))[0])
                        for _ in range(300 if i % 500 == 0
                                       else chance.choice((1, 2, 3, 4, 5, 8, 20))))
                for i in range(150000)]
    return mixtures + [f"the a{c}b {c} e{c}\u0301 x" for c in CHARACTERS]


# ---- both ----------------------------------------------------------------------------------------

def ours(db, name, texts):
    return [json.loads(db.execute("SELECT token_ids(?, ?)",
                                  (text, "local:compare/" + name)).fetchone()[0])
            for text in texts]


def reference(folder, name, texts):
    paths = [os.path.join(folder, "compare", name, "tokenizer.json"),
             os.path.join(folder, "texts.json"), os.path.join(folder, "ids.json")]
    with open(paths[1], "w", encoding="utf-8") as file:
        json.dump(texts, file)
    subprocess.run(["node", "--max-old-space-size=8000", os.path.join(HERE, "oracle.js"), *paths],
                   cwd=PACKAGES, check=True)
    with open(paths[2], encoding="utf-8") as file:
        return json.load(file)


def compare(db, folder, name, tokenizer):
    path = os.path.join(folder, "compare", name)
    os.makedirs(path)
    with open(os.path.join(path, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(tokenizer, file)
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"architectures": ["BertModel"], "hidden_size": 8, "num_hidden_layers": 1,
                   "num_attention_heads": 1, "intermediate_size": 8, "vocab_size": 2000000,
                   "max_position_embeddings": 512, "type_vocab_size": 2}, file)
    texts = [text for text in texts_for(name) if "\0" not in text]
    differ = [(text, got, wanted) for text, got, wanted
              in zip(texts, ours(db, name, texts), reference(folder, name, texts)) if got != wanted]
    print(f"{name:<16}{len(texts):>9} texts, {len(differ)} with other ids", flush=True)
    for text, got, wanted in sorted(differ, key=lambda found: len(found[0]))[:3]:
        print(f"    {ascii(text)}: {got[:20]}, not {wanted[:20]}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.makedirs(PACKAGES, exist_ok=True)
    subprocess.run(["npm", "install", "--prefix", PACKAGES, "--no-package-lock", "--no-save",
                    "--no-audit", "--no-fund", "--silent", "@anush008/tokenizers"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RERANK_MODEL_PATH"] = folder
        db = sqlite3.connect(":memory:")
        db.enable_load_extension(True)
        db.load_extension(os.path.abspath(sys.argv[1]))
        for name, tokenizer in tokenizers().items():
            if len(sys.argv) == 2 or name in sys.argv[2:]:
                compare(db, folder, name, tokenizer)


if __name__ == "__main__":
    main()
