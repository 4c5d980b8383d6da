"""pack.py TABLE.safetensors VOCABULARY.txt ext/embedded/table.bin: the table as the library has it.

The first is what train.py writes: rows (uint8 [n, 48], bit j of byte i is component 8 i + j, set +1,
else -1), scale and idf (float16 [n]), ids (uint16 [n], in BERT's vocabulary); the second has the
pieces, a line a row. ext/embedded/table.h says how the packed file is laid out: rows lie in the
order of their pieces' hashes, so that a piece is found without an index that somebody would have to
build. Nothing is lost.
"""
import hashlib
import json
import os
import re
import struct
import sys

DIMENSIONS = 384
ROW = DIMENSIONS // 8
BUCKETS = 1 << 15


def hash_piece(piece):
    """FNV-1a of 32 bits, and one more product, as the high bits are used."""
    value = 2166136261
    for byte in piece:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value * 0x9E3779B1 & 0xFFFFFFFF


def read_tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size, = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    return {name: body[slice(*entry["data_offsets"])] for name, entry in header.items()
            if name != "__metadata__"}


def pack(table, vocabulary, packed):
    tensors = read_tensors(table)
    with open(vocabulary, "rb") as file:
        pieces = file.read().splitlines()
    n = len(pieces)
    assert len(tensors["rows"]) == n * ROW and len(tensors["scale"]) == 2 * n
    order = sorted(range(n), key=lambda i: (hash_piece(pieces[i]), pieces[i]))
    hashes = [hash_piece(pieces[i]) for i in order]
    counts = [0] * (BUCKETS + 1)
    for value in hashes:
        counts[(value >> 17) + 1] += 1
    starts, offsets = [0], [0]
    for count in counts[1:]:
        starts.append(starts[-1] + count)
    for i in order:
        offsets.append(offsets[-1] + len(pieces[i]))

    def of_two_bytes(name):
        return b"".join(tensors[name][2 * i:2 * i + 2] for i in order)

    body = b"".join((
        b"".join(tensors["rows"][ROW * i:ROW * i + ROW] for i in order),
        struct.pack(f"<{n + 1}I", *offsets),
        struct.pack(f"<{BUCKETS + 1}H", *starts),
        of_two_bytes("scale"), of_two_bytes("idf"), of_two_bytes("ids"),
        bytes(value >> 9 & 0xFF for value in hashes),
        b"".join(pieces[i] for i in order)))
    body += bytes(-len(body) % 8)
    with open(packed, "wb") as file:
        file.write(hashlib.sha256(body).digest()[:8] + body)
    print(f"TABLE_ROWS {n}, TABLE_TEXT {offsets[-1]}, {8 + len(body)} bytes")


class Table:
    """A packed file, read again."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        assert hashlib.sha256(data[8:]).digest()[:8] == data[:8], "the table is damaged"
        with open(os.path.join(os.path.dirname(path), "table.h"), encoding="utf-8") as file:
            n = int(re.search(r"#define TABLE_ROWS (\d+)", file.read()).group(1))
        at = 8

        def take(size):
            nonlocal at
            at += size
            return data[at - size:at]

        self.rows = take(n * ROW)
        offsets = struct.unpack(f"<{n + 1}I", take(4 * (n + 1)))
        take(2 * (BUCKETS + 1))
        self.scale, self.idf, self.ids = take(2 * n), take(2 * n), take(2 * n)
        take(n)
        text = take(offsets[-1])
        self.pieces = [text[start:end] for start, end in zip(offsets, offsets[1:])]


if __name__ == "__main__":
    pack(*sys.argv[1:])
