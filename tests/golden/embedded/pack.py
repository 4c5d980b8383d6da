"""pack.py: the table of builtin:static, as ext/embedded/table.bin holds it.

    pack.py TABLE.safetensors VOCABULARY.txt ext/embedded/table.bin    makes it
    pack.py --unpack ext/embedded/table.bin TABLE.safetensors VOCABULARY.txt

The safetensors file is what ship.py writes: rows (uint8 [n, 48], bit j of byte i is component
8 i + j, set +1, else -1), scale and idf (float16 [n]), ids (uint16 [n], in BERT's vocabulary);
VOCABULARY.txt has the pieces, a line a row. ext/embedded/table.h says how the packed file is laid
out: rows lie in the order of their pieces' hashes, so that a piece is found without an index that
somebody would have to build. Nothing is lost: --unpack gives both files again, byte for byte.
"""
import hashlib
import json
import struct
import sys

DIMENSIONS = 384
ROW = DIMENSIONS // 8
BUCKETS = 1 << 15
METADATA = {
    "teacher": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
    "bits": "1",
    "recipe": "recipe/: corpus.py, vocab.py, encode.py, train.py d=384 parts=5 src=gcide,fortune "
              "epochs=2 lr=0.006 batch=2048, ship.py",
}


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


def write_tensors(path, tensors):
    """As the reference writes them: by the size of their type, then by name."""
    header, offset = {"__metadata__": METADATA}, 0
    for name, kind, shape, data in tensors:
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(entry[3] for entry in tensors))


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
    """A packed file, read again: also what reference.py computes with."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        assert hashlib.sha256(data[8:]).digest()[:8] == data[:8], "the table is damaged"
        n = self.find_size(data)
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

    @staticmethod
    def find_size(data):
        """The number of rows with which the last of the starts is that number, and all fits."""
        for n in range(1, len(data) // ROW):
            starts = 8 + n * ROW + 4 * (n + 1)
            end = starts + 2 * (BUCKETS + 1)
            if end + 7 * n > len(data):
                break
            text, = struct.unpack("<I", data[starts - 4:starts])
            if struct.unpack("<H", data[end - 2:end])[0] == n and \
                    -(-(end + 7 * n + text) // 8) * 8 == len(data):
                return n
        raise ValueError("no packed table")


def unpack(packed, table, vocabulary):
    made = Table(packed)
    n = len(made.pieces)
    ids = struct.unpack(f"<{n}H", made.ids)
    order = sorted(range(n), key=lambda i: ids[i])

    def of(column, size):
        return b"".join(column[size * i:size * i + size] for i in order)

    write_tensors(table, [("bits", "I32", [1], struct.pack("<i", 1)),
                          ("idf", "F16", [n], of(made.idf, 2)),
                          ("scale", "F16", [n], of(made.scale, 2)),
                          ("ids", "U16", [n], of(made.ids, 2)),
                          ("rows", "U8", [n, ROW], of(made.rows, ROW))])
    with open(vocabulary, "wb") as file:
        file.write(b"".join(made.pieces[i] + b"\n" for i in order))


if __name__ == "__main__":
    if sys.argv[1] == "--unpack":
        unpack(*sys.argv[2:])
    else:
        pack(*sys.argv[1:])
