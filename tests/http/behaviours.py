"""behaviours.py: what can be wrong with an answer of the loopback server, by name.

A step is the name of a behaviour or an object, each key optional:
    do        a name of BEHAVIOURS, or several: what is wrong with the answer
    status, headers, body
              the answer itself; without a body it is the provider's error; a body that is not a
              text is sent as JSON
    delay     seconds before the answer begins
    times     how many requests it is for (1); "forever"
    match     only requests whose path or raw body contains this
    location, bytes, interval
              for redirect (where to), flood_* (how much at most) and drip (seconds a byte)
A request takes the first step that matches. Requests without a step are answered rightly.

ROWS change what the answer holds, CHATS (chat.py) a chat completion, ANSWERS the whole answer,
SENDERS how it is sent; each entry says what it does by its name. A behaviour that has no meaning
for a request (an index where the provider has none, a vector in a rerank answer) changes
nothing.
"""
import base64
import dataclasses
import functools
import gzip
import struct
import time
import zlib

from chat import CHATS
from dialects import PROVIDERS, status_of
from forms import HUGE, MISSING, Refusal, dump, encode

HOLD_SECONDS = 30.0  # how long a silent or dripping answer goes on
FLOOD_BYTES = 10 * 1000 ** 3
BOMB_MIB = 256


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes


# ---- of rows ------------------------------------------------------------------------------------


def spoil_value(bad):
    """One value of the last row: a number in the middle of its vector, or its score."""
    def change(rows):
        if rows and isinstance(rows[-1]["value"], tuple):
            vector = list(rows[-1]["value"])
            vector[len(vector) // 2] = bad
            rows[-1]["value"] = vector
        elif rows:
            rows[-1]["value"] = bad
        return rows
    return change


def spoil_rows(value, which=slice(None)):
    """value(old) for the chosen rows."""
    def change(rows):
        for row in rows[which]:
            row["value"] = value(row["value"])
        return rows
    return change


def spoil_index(index):
    """index(rows) for the last row."""
    def change(rows):
        if rows:
            rows[-1]["index"] = index(rows)
        return rows
    return change


def repeat_index(rows):
    rows = rows + [dict(rows[0])] if len(rows) == 1 else rows
    return spoil_index(lambda rows: rows[0]["index"])(rows)


def one_too_many(rows):
    return rows + [dict(rows[-1], index=len(rows))] if rows else rows


def one_byte_more(vector):
    return base64.b64encode(base64.b64decode(encode(vector)) + b"\0").decode()


ROWS = {
    "one_too_few": lambda rows: rows[:-1],
    "one_too_many": one_too_many,
    "no_items": lambda rows: [],
    "duplicate_index": repeat_index,
    "missing_index": spoil_index(lambda rows: MISSING),
    "index_out_of_range": spoil_index(lambda rows: 1000000),
    "index_negative": spoil_index(lambda rows: -1),
    "index_fraction": spoil_index(lambda rows: 0.5),
    "index_text": spoil_index(lambda rows: "0"),
    "index_huge": spoil_index(lambda rows: HUGE),
    "nan": spoil_value(float("nan")),
    "huge": spoil_value(HUGE),
    "null": spoil_value(None),
    "text": spoil_value("0.5"),
    "missing_value": spoil_rows(lambda old: MISSING, slice(-1, None)),
    "null_value": spoil_rows(lambda old: None, slice(-1, None)),
    "empty_vector": spoil_rows(lambda old: (), slice(-1, None)),
    "zero_vector": spoil_rows(lambda old: (0.0,) * len(old)),
    "wrong_dimensions": spoil_rows(lambda old: tuple(old) + (0.5,)),
    "mixed_dimensions": spoil_rows(lambda old: tuple(old)[:-1], slice(-1, None)),
    "base64": spoil_rows(encode),
    "base64_odd": spoil_rows(one_byte_more, slice(-1, None)),
    "base64_bad": spoil_rows(lambda old: "*" + encode(old)[1:], slice(-1, None)),
    "swapped": lambda rows: rows[::-1],
    "unsorted": lambda rows: rows[1:] + rows[:1],
    "limit_ignored": lambda rows: rows,
}
ONLY_INDEXED = {name for name in ROWS if "index" in name} | {"swapped"}
ONLY_VECTORS = {"empty_vector", "zero_vector", "wrong_dimensions", "mixed_dimensions", "base64",
                "base64_odd", "base64_bad"}
ONLY_RERANK = {"unsorted", "limit_ignored"}


def change_rows(names, form):
    """The changes of these names that make sense for the form, one after another."""
    names = [name for name in names if name in ROWS
             and (form.indexed or name not in ONLY_INDEXED)
             and name not in (ONLY_RERANK if form.api == "embeddings" else ONLY_VECTORS)]
    return functools.partial(functools.reduce, lambda rows, name: ROWS[name](rows), names)


# ---- of the whole answer ------------------------------------------------------------------------


def with_body(make, content_type=None, status=None):
    def change(answer, request):
        if content_type:
            answer.headers["Content-Type"] = content_type
        return Answer(status or answer.status, answer.headers, make(answer.body))
    return change


def with_head(status, headers, body=None):
    def change(answer, request):
        return Answer(status, {**answer.headers, **headers}, answer.body if body is None else body)
    return change


def echo_key(answer, request):
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return provider_error(request.provider, Refusal("key", "the key %s is not allowed" % key), 401)


def compress(answer, request):
    return Answer(answer.status, {**answer.headers, "Content-Encoding": "gzip"},
                  gzip.compress(answer.body))


@functools.lru_cache(maxsize=1)
def bomb():
    """BOMB_MIB of blanks in gzip: one flushed block, again and again."""
    plain = b" " * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH)
    end, check = packer.flush(), 0
    for _ in range(BOMB_MIB):
        check = zlib.crc32(plain, check)
    return (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + block * BOMB_MIB + end
            + struct.pack("<II", check, BOMB_MIB << 20))


HTML = b"<html><body><h1>Please sign in</h1></body></html>"
ANSWERS = {
    "not_json": with_body(lambda body: b"the answer is 42"),
    "truncated_json": with_body(lambda body: body[:len(body) // 2]),
    "trailing_bytes": with_body(lambda body: body + b" x"),
    "deep_nesting": with_body(lambda body: b"[" * 100000 + b"]" * 100000),
    "invalid_utf8": with_body(lambda body: body[:-1] + b',"\xff\xfe":1' + body[-1:]),
    "byte_order_mark": with_body(lambda body: b"\xef\xbb\xbf" + body),
    "nul_byte": with_body(lambda body: body[:len(body) // 2] + b"\0" + body[len(body) // 2:]),
    "empty_body": with_body(lambda body: b""),
    "empty_object": with_body(lambda body: b"{}"),
    "empty_array": with_body(lambda body: b"[]"),
    "error_200": with_body(
        lambda body: b'{"error":{"message":"overloaded","type":"server_error"}}', status=200),
    "html": with_body(lambda body: HTML, "text/html"),
    "html_502": with_body(lambda body: HTML, "text/html", 502),
    "text_type": with_body(lambda body: body, "text/plain"),
    "redirect": with_head(302, {}, b""),
    "no_content": with_head(204, {}, b""),
    "key_echo": echo_key,
    "gzip": compress,
    "gzip_bomb": lambda answer, request: Answer(
        200, {**answer.headers, "Content-Encoding": "gzip"}, bomb()),
}


# ---- of its sending: (link, answer, step) -> whether the connection stays ------------------------


def head_of(answer, length=True, version="1.1", extra=""):
    lines = ["HTTP/%s %d Status" % (version, answer.status)]
    lines += ["%s: %s" % item for item in answer.headers.items()]
    if length and answer.status != 204:
        lines.append("Content-Length: %d" % (len(answer.body) if length is True else length))
    return ("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode("utf-8", "replace")


def send_whole(link, answer, step):
    link.send(head_of(answer) + answer.body)
    return True  # the connection stays


def send_nothing(link, answer, step):
    return False


def send_half(link, answer, step):
    link.send(head_of(answer) + answer.body[:len(answer.body) // 2])
    return False


def send_then_close(link, answer, step):
    send_whole(link, answer, step)
    return False


def then_reset(send):
    def send_and_reset(link, answer, step):
        if send(link, answer, step) is False and send is not send_nothing:
            link.wait(0.05)  # so that the client sees the first half
        link.reset()
        return False
    return send_and_reset


def send_silence(link, answer, step):
    link.wait(HOLD_SECONDS)
    return False


def send_head_only(link, answer, step):
    link.send(head_of(answer))
    return send_silence(link, answer, step)


def send_drops(link, answer, step):
    link.send(head_of(answer))
    deadline = time.monotonic() + HOLD_SECONDS
    for byte in answer.body:
        link.send(bytes([byte]))
        if time.monotonic() > deadline or link.wait(step.get("interval", 1.0)):
            return False
    return True


def send_flood(head, piece):
    def send(link, answer, step):
        left = step.get("bytes", FLOOD_BYTES)
        link.send(head(answer))
        while left > 0 and not link.stopped():
            link.send(piece)
            left -= len(piece)
        return False
    return send


def send_old(link, answer, step):
    link.send(head_of(answer, length=False, version="1.0") + answer.body)
    return False


def send_chunks(link, answer, step):
    data, size = head_of(answer, length=False, extra="Transfer-Encoding: chunked\r\n"), 7
    for at in range(0, len(answer.body), size):
        piece = answer.body[at:at + size]
        data += b"%x;note=1\r\n%s\r\n" % (len(piece), piece)
    link.send(data + b"0\r\nX-Trailer: 1\r\n\r\n")
    return True


def send_pieces(link, answer, step):
    data = head_of(answer) + answer.body
    for at in range(0, len(data), max(1, len(data) // 20)):
        link.send(data[at:at + max(1, len(data) // 20)])
        link.wait(0.002)
    return True


def send_interim(link, answer, step):
    link.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    return send_whole(link, answer, step)


def send_garbage(link, answer, step):
    link.send(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
    return False


NUMBERS = b"0.125," * 10923  # about 64 KiB
SENDERS = {
    "reset": then_reset(send_nothing),
    "reset_middle": then_reset(send_half),
    "close": send_nothing,
    "close_middle": send_half,
    "close_after": send_then_close,
    "silence": send_silence,
    "silence_after_head": send_head_only,
    "drip": send_drops,
    "flood": send_flood(lambda answer: head_of(answer, length=FLOOD_BYTES) + b"[", NUMBERS),
    "flood_chunked": send_flood(
        lambda answer: head_of(answer, False, extra="Transfer-Encoding: chunked\r\n")
        + b"1\r\n[\r\n", b"%x\r\n%s\r\n" % (len(NUMBERS), NUMBERS)),
    "flood_head": send_flood(lambda answer: b"HTTP/1.1 200 OK\r\n",
                             b"X-More: 0123456789\r\n" * 500),
    "flood_line": send_flood(lambda answer: b"HTTP/1.1 200 OK\r\nX-More: ", b"0123456789" * 1000),
    "flood_status": send_flood(lambda answer: b"HTTP/1.1 200 ", b"0123456789" * 1000),
    "http10": send_old,
    "chunked": send_chunks,
    "pieces": send_pieces,
    "interim": send_interim,
    "not_http": send_garbage,
}
BEHAVIOURS = {**ROWS, **CHATS, **ANSWERS, **SENDERS}


# ---- errors and steps ----------------------------------------------------------------------------


def provider_error(name, refusal, status=None):
    """An error in the provider's form; plain text where no provider is addressed."""
    provider = PROVIDERS.get(name)
    if provider is None:
        return Answer(status or 404, {"Content-Type": "text/plain"}, refusal.message.encode())
    status = status or status_of(provider, refusal)
    value = provider.error(status, refusal)
    return Answer(status, {"Content-Type": "application/json"},
                  dump(value).encode() if value != "" else b"")


def parse_step(step):
    """A step as an object with every key checked."""
    step = {"do": step} if isinstance(step, str) else dict(step)
    known = {"do", "status", "headers", "body", "delay", "times", "match", "location", "bytes",
             "interval"}
    names = step.get("do", [])
    step["do"] = [names] if isinstance(names, str) else list(names)
    unknown = set(step) - known | set(step["do"]) - set(BEHAVIOURS)
    if unknown:
        raise ValueError("no such behaviour: %s" % ", ".join(sorted(unknown)))
    return step
