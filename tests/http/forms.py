"""forms.py: the values, the forms of requests and of right answers that dialects.py puts
together."""
import base64
import dataclasses
import functools
import hashlib
import json
import re
import struct
from typing import Any, Callable

KEYS = ("test-key", "sk-test-key")
MAX_DIMENSIONS = 1 << 14
MISSING = object()  # a field to leave out
HUGE = "\x01huge"  # becomes the number 1e999

# ---- what is answered: functions of the text alone ----------------------------------------------


@functools.lru_cache(maxsize=1 << 14)
def vector_of(text, dimensions=8):
    """A pseudo-random vector of length 1; each value is exact in float32."""
    seed = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(4 * dimensions)
    values = [v / 2.0 ** 31 for v in struct.unpack("<%di" % dimensions, seed)]
    length = sum(v * v for v in values) ** 0.5 or 1.0
    return struct.unpack("<%df" % dimensions,
                         struct.pack("<%df" % dimensions, *(v / length for v in values)))


def score_of(query, text):
    """The share of the query's words in the text, and a trace of its hash: in [0, 1)."""
    words = set(re.findall(r"\w+", query.lower()))
    found = words & set(re.findall(r"\w+", text.lower()))
    trace = hashlib.sha256(("%s\n%s" % (query, text)).encode("utf-8", "surrogatepass")).digest()
    return 0.9 * len(found) / max(1, len(words)) + 0.09 * int.from_bytes(trace[:4], "big") / 2 ** 32


def logit_of(score):
    """The score as a number without bounds, where a provider answers such."""
    return 12.0 * score - 6.0


def to_base64(vector):
    return base64.b64encode(struct.pack("<%df" % len(vector), *vector)).decode()


def encode(value):
    """base64 of a vector; what is not a vector of numbers stays."""
    return to_base64(value) if isinstance(value, tuple) else value


def text_of(document, rank_fields=None):
    """What is scored of a document: a text, or the values of an object."""
    if isinstance(document, str):
        return document
    return " ".join(str(document[k]) for k in rank_fields or document if k in document)


def dump(value):
    """JSON as it goes over the wire: raw UTF-8, and \\u escapes for what has no UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    return re.sub(r'"(\x01|\\u0001)huge"', "1e999", text)


def count_tokens(texts):
    return sum(max(1, len(text.split())) for text in texts)


# ---- what a request may hold --------------------------------------------------------------------


class Refusal(Exception):
    """Why a request is refused; kind is key, path, method, media, length, json, missing, type,
    unknown or many."""

    def __init__(self, kind, message, field=None, status=None):
        super().__init__(message)
        self.kind, self.message, self.field, self.status = kind, message, field, status


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_list(value, test):
    return isinstance(value, list) and len(value) > 0 and all(test(item) for item in value)


def is_text(value):
    return isinstance(value, str)


def is_filled(value):
    return isinstance(value, str) and value != ""


def is_text_object(value):
    return isinstance(value, dict) and list(value) == ["text"] and is_text(value["text"])


TYPES = {
    "any": lambda v: True,
    "text": is_text,
    "filled": is_filled,
    "bool": lambda v: isinstance(v, bool),
    "integer": is_int,
    "count": lambda v: is_int(v) and v >= 0,
    "positive": lambda v: is_int(v) and v > 0,
    "length": lambda v: is_int(v) and 0 < v <= MAX_DIMENSIONS,
    "texts": lambda v: is_text(v) or is_list(v, is_text),
    "tokens": lambda v: is_filled(v) or is_list(v, is_filled) or is_list(v, is_int)
              or is_list(v, lambda tokens: is_list(tokens, is_int)),
    "list": lambda v: is_list(v, is_text),
    "objects": lambda v: is_list(v, lambda d: isinstance(d, (str, dict))),
    "text_objects": lambda v: is_list(v, lambda d: is_text(d) or is_text_object(d)),
    "texts_or_objects": lambda v: is_text(v) or is_text_object(v) or TYPES["text_objects"](v),
}


def is_messages(value):
    return isinstance(value, list) and len(value) > 0 and all(
        isinstance(m, dict) and m.get("role") in ("system", "user", "assistant")
        and is_text(m.get("content")) for m in value)


def is_format(value):
    """response_format of a chat completion."""
    if not isinstance(value, dict):
        return False
    schema = value.get("json_schema")
    return value.get("type") in ("text", "json_object") or (
        value.get("type") == "json_schema" and isinstance(schema, dict)
        and is_filled(schema.get("name")) and isinstance(schema.get("schema"), dict))


TYPES.update(messages=is_messages, format=is_format, temperature=lambda v: isinstance(
    v, (int, float)) and not isinstance(v, bool) and 0 <= v <= 2)


def parse_fields(text):
    """"name:type" words, "!" after a required one; a type is of TYPES, "a|b" or "[a|b]"."""
    fields = {}
    for word in text.split():
        name, kind = word.rstrip("!").split(":", 1)
        choices = kind.strip("[]").split("|")
        if len(choices) == 1:
            test = TYPES[kind]
        else:
            allowed = [None if choice == "null" else choice for choice in choices]
            test = functools.partial(lambda allowed, v: v in allowed, allowed)
            if kind.startswith("["):
                test = functools.partial(is_list, test=test)
        fields[name] = (kind, word.endswith("!"), test)
    return fields


@dataclasses.dataclass
class Form:
    """One endpoint of one provider."""
    api: str  # "embeddings" or "rerank"
    paths: str  # the first is the provider's own, the others are other names of it
    fields: Any
    envelope: Callable  # Reply -> the body of the answer
    texts: str  # the field that holds the texts or documents
    most: int = 0  # how many of them; 0: no limit
    closed: bool = False  # fields that are not listed are refused
    dimensions: str = ""  # the field that asks for a vector length
    encoding: str = ""  # the field that asks for base64
    indexed: bool = True  # items carry an index
    top: str = ""  # the field that limits the results
    echo: Callable = lambda reply, index, document: {}
    score: str = "relevance_score"
    logits: bool = False
    tokens_header: bool = False

    def __post_init__(self):
        self.fields = parse_fields(self.fields)


@dataclasses.dataclass
class Provider:
    base: str
    key_required: bool
    error: Callable  # (status, Refusal) -> the body of an error
    forms: list
    invalid: int = 400  # status of a body with a wrong or missing field
    many: int = 400  # status of too many texts


# ---- the form of right answers ------------------------------------------------------------------


class Reply:
    """What an envelope is filled from: rows of {"index", "value", "document"}."""

    def __init__(self, form, body, rows, dimensions, texts):
        self.form, self.body, self.rows, self.dimensions = form, body, rows, dimensions
        self.model = body.get("model", "m")
        self.texts, self.tokens = texts, count_tokens(texts)

    @property
    def values(self):
        return [row["value"] for row in self.rows if row["value"] is not MISSING]

    @property
    def vectors(self):
        """data[] of the OpenAI form."""
        return [present({"object": "embedding", "index": row["index"], "embedding": row["value"]})
                for row in self.rows]

    def results(self, **fields):
        return [present({"index": row["index"], self.form.score: row["value"],
                         **self.form.echo(self, row["index"], row["document"]), **fields})
                for row in self.rows]

    def usage(self, names="prompt_tokens total_tokens"):
        return {n: 0 if n == "completion_tokens" else self.tokens for n in names.split()}


def present(fields):
    return {name: value for name, value in fields.items() if value is not MISSING}


def openai_list(usage="prompt_tokens total_tokens", **fields):
    def envelope(reply):
        body = {"object": "list", "data": reply.vectors, "model": reply.model, **fields}
        return {**body, "usage": reply.usage(usage)} if usage else body
    return envelope


def cohere_embeddings(reply):
    def values(kind):
        return [encode(value) if kind == "base64" else value for value in reply.values]
    kinds = reply.body.get("embedding_types") or ["float"]
    return {"id": "loop-1", "embeddings": {kind: values(kind) for kind in kinds},
            "texts": reply.texts, "meta": {"api_version": {"version": "2"},
                                           "billed_units": {"input_tokens": reply.tokens}}}


def ollama_embeddings(reply):
    body = {"model": reply.model, "embeddings": reply.values}
    if reply.rows:
        body.update(total_duration=1000, load_duration=100, prompt_eval_count=reply.tokens)
    return body


def mixedbread_embeddings(reply):
    return {**openai_list()(reply), "normalized": reply.body.get("normalized", True),
            "encoding_format": reply.body.get("encoding_format", "float"),
            "dimensions": reply.dimensions}


def llamacpp_embeddings(reply):
    body = openai_list()(reply)
    for item in body["data"]:
        if is_text(item.get("embedding")):
            item["encoding_format"] = "base64"
    return body


def echoed(field, switch, default, wrap):
    """Documents are echoed as wrap(document) in `field` when the request's `switch` says so."""
    def echo(reply, index, document):
        wanted = reply.body.get(switch, default) if switch else default
        return {field: wrap(document, index)} if wanted else {}
    return echo


def echo_plain(document, index):
    return document


def echo_text(document, index):
    return {"text": document if is_text(document) else dump(document)}


def echo_either(document, index):
    return echo_text(text_of(document), index) if index == 0 else text_of(document)


def echo_together(reply, index, document):
    """An object is echoed, as its JSON text, whatever the switch says."""
    wanted = reply.body.get("return_documents", False) or isinstance(document, dict)
    return {"document": echo_text(document, index)} if wanted else {}
