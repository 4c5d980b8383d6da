"""dialects.py: the embeddings, rerank and chat dialects of sixteen providers, as a server speaks
them.

One table, PROVIDERS, says for each provider which fields a request may hold, what a right answer
looks like and what an error looks like. answer() judges a request and fills the answer with
vector_of() and score_of(), functions of the text alone, so that a test can compute them again.
Error texts are ours; statuses, the place of a message, and the words a client looks for in it are
the provider's. Nothing here knows of sockets: loopback.py does.
"""
import json

from chat import chat_form, complete, question_of
from forms import (
    KEYS, Form, Provider, Refusal, Reply, cohere_embeddings, dump, echo_either, echo_plain,
    echo_text, echo_together, echoed, encode, is_int, is_list, is_text, llamacpp_embeddings,
    logit_of, mixedbread_embeddings, ollama_embeddings, openai_list, score_of, text_of,
    vector_of)

# ---- the form of errors -------------------------------------------------------------------------


def error_type(status):
    if status == 429:
        return "rate_limit"
    return "server_error" if status >= 500 else "invalid_request_error"


def openai_error(status, refusal):
    code = {"key": "invalid_api_key", "path": "unknown_url"}.get(refusal.kind)
    return {"error": {"message": refusal.message, "type": error_type(status),
                      "param": refusal.field, "code": code}}


def together_error(status, refusal):
    body = {"id": "loop-1", **openai_error(status, refusal)}
    return {**body, "error_type": "dynamic_request_limited"} if status == 429 else body


def detail_error(status, refusal):
    return {"detail": refusal.message}


def fastapi_error(status, refusal):
    if status != 422:
        return {"detail": refusal.message}
    code = {"missing": "missing", "many": "too_long", "unknown": "extra_forbidden"}
    return {"detail": [{"loc": ["body"] + [refusal.field] * bool(refusal.field),
                        "msg": refusal.message, "type": code.get(refusal.kind, "type_error")}]}


def mistral_error(status, refusal):
    if status in (401, 404, 422):
        return fastapi_error(status, refusal)
    return {"object": "error", "message": refusal.message, "type": "invalid_request_prompt",
            "param": None, "code": "3210" if refusal.kind == "many" else None}


def cohere_error(status, refusal):
    return {"id": "loop-1", "message": refusal.message}


def jina_error(status, refusal):
    if status == 422:
        return {"detail": refusal.message, "errors": [
            {"field": refusal.field, "message": refusal.message, "type": refusal.kind,
             "input": None}]}
    if refusal.kind == "many":
        return {"detail": refusal.message}
    code = {401: "AUTH_INVALID_API_KEY", 429: "RATE_REQUEST_LIMIT_EXCEEDED",
            503: "SERVICE_UNAVAILABLE"}.get(status, "INPUT_INVALID" if status < 500
                                            else "INTERNAL_ERROR")
    return {"code": code, "detail": refusal.message, "request_id": "loop-1"}


def ollama_error(status, refusal):
    return {"error": refusal.message}


def tei_error(status, refusal):
    if status == 401:
        return ""
    kind = {400: "Empty", 429: "Overloaded", 503: "Unhealthy"}.get(status, "Validation")
    return {"error": refusal.message, "error_type": kind}


def tei_openai_error(status, refusal):
    body = tei_error(status, refusal)
    return body and {"message": body["error"], "code": status, "type": body["error_type"]}


def infinity_error(status, refusal):
    if status in (401, 404, 422):
        return fastapi_error(status, refusal)
    return {"error": {"message": refusal.message, "type": None, "param": None, "code": status}}


def vllm_error(status, refusal):
    if refusal.kind in ("key", "path"):
        return {"error": "Unauthorized"} if status == 401 else {"detail": "Not Found"}
    return {"error": {"message": refusal.message, "param": refusal.field, "code": status,
                      "type": "BadRequestError" if status < 500 else "InternalServerError"}}


def llamacpp_error(status, refusal):
    kind = {401: "authentication_error", 404: "not_found_error", 503: "unavailable_error"}
    return {"error": {"code": status, "message": refusal.message,
                      "type": kind.get(status, error_type(status))}}


def litellm_error(status, refusal):
    return {"error": {"message": refusal.message, "param": "None", "code": str(status),
                      "type": "auth_error" if status == 401 else "None"}}


# ---- the table ----------------------------------------------------------------------------------

OPENAI_FIELDS = ("model:filled! input:texts! encoding_format:float|base64 dimensions:length "
                 "user:text")


def openai_form(paths, fields=OPENAI_FIELDS, envelope=None, **more):
    options = {"dimensions": "dimensions", "encoding": "encoding_format", **more}
    return Form("embeddings", paths, fields, envelope or openai_list(), "input", **options)


def rerank_form(paths, fields, envelope, documents="documents", top="top_n", **more):
    return Form("rerank", paths, "query:text! " + fields, envelope, documents, top=top, **more)


PROVIDERS = {
    "together": Provider("/v1", True, together_error, [
        openai_form("/v1/embeddings", "model:filled! input:texts!", openai_list(usage=""),
                    dimensions="", encoding=""),
        rerank_form("/v1/rerank", "model:filled! documents:objects! top_n:positive "
                    "return_documents:bool rank_fields:list",
                    lambda r: {"object": "rerank", "id": "loop-1", "model": r.model,
                               "results": r.results(),
                               "usage": r.usage("prompt_tokens completion_tokens total_tokens")},
                    closed=True, echo=echo_together)]),
    "openai": Provider("/v1", True, openai_error, [
        openai_form("/v1/embeddings", OPENAI_FIELDS.replace("texts", "tokens"), most=2048,
                    closed=True)]),
    "mistral": Provider("/v1", True, mistral_error, [
        openai_form("/v1/embeddings", "model:filled! input:texts! output_dimension:length "
                    "output_dtype:float|int8|uint8|binary|ubinary encoding_format:float|base64 "
                    "metadata:any",
                    openai_list("prompt_tokens completion_tokens total_tokens", id="loop-1"),
                    most=256, dimensions="output_dimension")], invalid=422),
    "cohere": Provider("/v2", True, cohere_error, [
        Form("embeddings", "/v2/embed", "model:filled! texts:list! "
             "input_type:search_document|search_query|classification|clustering! "
             "embedding_types:[float|base64] output_dimension:length truncate:NONE|START|END "
             "max_tokens:positive", cohere_embeddings, "texts", most=96,
             dimensions="output_dimension", indexed=False),
        rerank_form("/v2/rerank", "model:filled! documents:list! top_n:positive "
                    "max_tokens_per_doc:positive priority:count",
                    lambda r: {"id": "loop-1", "results": r.results(),
                               "meta": {"api_version": {"version": "2"},
                                        "billed_units": {"search_units": 1}}}, most=10000)]),
    "voyage": Provider("/v1", True, detail_error, [
        openai_form("/v1/embeddings", "model:filled! input:texts! input_type:query|document|null "
                    "truncation:bool output_dimension:length "
                    "output_dtype:float|int8|uint8|binary|ubinary encoding_format:base64|null",
                    openai_list("total_tokens"), most=1000, dimensions="output_dimension"),
        rerank_form("/v1/rerank", "model:filled! documents:list! top_k:positive "
                    "return_documents:bool truncation:bool",
                    lambda r: {"object": "list", "data": r.results(), "model": r.model,
                               "usage": r.usage("total_tokens")}, top="top_k", most=1000,
                    echo=echoed("document", "return_documents", False, echo_plain))]),
    "jina": Provider("/v1", True, jina_error, [
        openai_form("/v1/embeddings", "model:filled! input:texts_or_objects! task:text "
                    "dimensions:length normalized:bool embedding_type:float|base64 "
                    "late_chunking:bool truncate:bool", most=512, encoding="embedding_type"),
        rerank_form("/v1/rerank", "model:filled! documents:text_objects! top_n:positive "
                    "return_documents:bool truncation:bool max_doc_length:positive "
                    "return_embeddings:bool",
                    lambda r: {"model": r.model, "object": "list", "results": r.results(),
                               "usage": r.usage("total_tokens")},
                    echo=echoed("document", "return_documents", True, echo_either))], invalid=422),
    "mixedbread": Provider("/v1", True, fastapi_error, [
        openai_form("/v1/embeddings", "model:filled! input:texts! dimensions:length prompt:text "
                    "normalized:bool encoding_format:float|base64", mixedbread_embeddings,
                    most=256),
        rerank_form("/v1/reranking", "model:filled! input:objects! rank_fields:list top_k:integer "
                    "return_input:bool rewrite_query:bool",
                    lambda r: {"usage": r.usage("prompt_tokens total_tokens completion_tokens"),
                               "model": r.model, "data": r.results(object="rank_result"),
                               "object": "list", "top_k": len(r.rows),
                               "return_input": r.body.get("return_input", False)},
                    documents="input", top="top_k", most=1000, score="score",
                    echo=echoed("input", "return_input", False, echo_plain))],
        invalid=422, many=422),
    "nomic": Provider("/v1", True, fastapi_error, [
        Form("embeddings", "/v1/embedding/text", "model:filled! texts:list! "
             "task_type:search_document|search_query|classification|clustering "
             "dimensionality:length long_text_mode:truncate|mean max_tokens_per_text:positive",
             lambda r: {"embeddings": r.values, "usage": r.usage(), "model": r.model}, "texts",
             dimensions="dimensionality", indexed=False)], invalid=422, many=422),
    "ollama": Provider("", False, ollama_error, [
        Form("embeddings", "/api/embed", "model:filled! input:texts! truncate:bool "
             "dimensions:length keep_alive:any options:any", ollama_embeddings, "input",
             dimensions="dimensions", indexed=False)]),
    "ollama-openai": Provider("/v1", False, openai_error, [
        openai_form("/v1/embeddings /ollama/v1/embeddings")]),
    "tei": Provider("", False, tei_error, [
        Form("embeddings", "/embed", "inputs:texts! normalize:bool truncate:bool "
             "truncation_direction:left|right|Left|Right prompt_name:text dimensions:length",
             lambda r: r.values, "inputs", most=32, dimensions="dimensions", indexed=False,
             tokens_header=True),
        rerank_form("/rerank", "texts:list! raw_scores:bool return_text:bool truncate:bool "
                    "truncation_direction:left|right|Left|Right", lambda r: r.results(),
                    documents="texts", top="", most=32, score="score", tokens_header=True,
                    echo=echoed("text", "return_text", False, echo_plain))],
        invalid=422, many=422),
    "tei-openai": Provider("/v1", False, tei_openai_error, [
        openai_form("/v1/embeddings /tei/v1/embeddings",
                    OPENAI_FIELDS.replace("model:filled!", "model:any"), most=32)],
        invalid=422, many=422),
    "infinity": Provider("", False, infinity_error, [
        openai_form("/embeddings", OPENAI_FIELDS + " modality:text",
                    openai_list(id="loop-1", created=1700000000), most=2048),
        rerank_form("/rerank", "model:filled! documents:list! top_n:positive "
                    "return_documents:bool raw_scores:bool",
                    lambda r: {"object": "rerank", "results": r.results(), "model": r.model,
                               "usage": r.usage(), "id": "loop-1", "created": 1700000000},
                    most=2048, echo=echoed("document", "return_documents", False, echo_plain))],
        invalid=422, many=422),
    "vllm": Provider("/v1", False, vllm_error, [
        openai_form("/v1/embeddings", OPENAI_FIELDS + " truncate_prompt_tokens:integer",
                    openai_list("prompt_tokens total_tokens completion_tokens", id="loop-1",
                                created=1700000000)),
        rerank_form("/v1/rerank /vllm/rerank /vllm/v2/rerank", "model:filled! documents:list! "
                    "top_n:count truncate_prompt_tokens:integer",
                    lambda r: {"id": "loop-1", "model": r.model, "usage": r.usage(),
                               "results": r.results()},
                    echo=echoed("document", "", True, echo_text))]),
    "llamacpp": Provider("/v1", False, llamacpp_error, [
        openai_form("/v1/embeddings", "model:text input:texts! encoding_format:float|base64",
                    llamacpp_embeddings, dimensions=""),
        rerank_form("/v1/rerank /llamacpp/rerank /llamacpp/reranking /llamacpp/v1/reranking",
                    "model:text documents:list! top_n:count",
                    lambda r: {"model": r.model, "object": "list", "usage": r.usage(),
                               "results": r.results()}, logits=True)]),
    "litellm": Provider("/v1", True, litellm_error, [
        openai_form("/v1/embeddings /litellm/embeddings",
                    envelope=openai_list("prompt_tokens completion_tokens total_tokens")),
        rerank_form("/v1/rerank /litellm/rerank", "model:filled! documents:objects! "
                    "top_n:positive rank_fields:list return_documents:bool",
                    lambda r: {"id": "loop-1", "results": r.results(),
                               "meta": {"api_version": {"version": "1.0"},
                                        "billed_units": {"search_units": 1, "total_tokens": None},
                                        "tokens": {"input_tokens": r.tokens,
                                                   "output_tokens": None}}},
                    echo=echoed("document", "return_documents", False, echo_text))]),
}

for _name in ("together", "openai", "mistral", "ollama", "vllm", "llamacpp", "litellm"):
    PROVIDERS[_name].forms.append(chat_form("/v1/chat/completions"))

ROUTES = {}  # full path -> (provider's name, Form)
for _name, _provider in PROVIDERS.items():
    for _form in _provider.forms:
        _own, *_others = _form.paths.split()
        ROUTES.update({path: (_name, _form) for path in ["/" + _name + _own] + _others})


# ---- judging a request, filling the answer ------------------------------------------------------


def status_of(provider, refusal):
    fixed = {"key": 401, "path": 404, "method": 405, "length": 411, "media": 415, "json": 400,
             "many": provider.many}
    return refusal.status or fixed.get(refusal.kind, provider.invalid)


def check_key(provider, headers):
    value = headers.get("authorization")
    if value is None and not provider.key_required:
        return
    if value is None:
        raise Refusal("key", "no api key in the request")
    if value not in ["Bearer " + key for key in KEYS]:
        raise Refusal("key", "incorrect api key: " + value.removeprefix("Bearer "))


def check_form(headers):
    if "chunked" in headers.get("transfer-encoding", "").lower():
        raise Refusal("length", "a chunked request body is not accepted")
    media = headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json":
        raise Refusal("media", "expected content type application/json, not '%s'" % media)


def parse_body(raw):
    """The object in a body; stricter than most: no NaN, no key twice, UTF-8 only."""
    def pairs(items):
        if len(dict(items)) != len(items):
            raise ValueError("a key occurs twice")
        return dict(items)

    def constant(name):
        raise ValueError("%s is not JSON" % name)
    try:
        body = json.loads(raw.decode(), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refusal("json", "the body is not JSON: %s" % error) from None
    if not isinstance(body, dict):
        raise Refusal("json", "the body is not an object")
    return body


def check_fields(form, body, strict):
    for name, (kind, required, test) in form.fields.items():
        if name not in body:
            if required:
                raise Refusal("missing", "field required: valid %s must be provided" % name, name)
        elif name == form.texts and body[name] == []:
            raise Refusal("type", "`%s` cannot be empty" % name, name,
                          400 if form.tokens_header else None)
        elif not test(body[name]):
            raise Refusal("type", "%s: expected %s" % (name, kind), name)
    for name in body:
        if name not in form.fields and (form.closed or strict):
            raise Refusal("unknown", "unrecognized field %s" % name, name)


def check_limits(name, form, body, most):
    count = len(body[form.texts]) if isinstance(body[form.texts], list) else 1
    most = most or form.most
    if most and count > most:
        # the words by which a client knows that half as many may pass
        raise Refusal("many", {
            "openai": "the list exceeds the allowed size 2048 (%d > %d)",
            "mistral": "%d inputs, not more than %d: split into more batches",
            "cohere": "%d texts: total number of texts must be at most %d",
            "voyage": "%d inputs, not more than %d per submitted batch",
            "jina": "%d inputs, limit %d: a list holds at most 512 items",
            "tei": "%d texts > maximum allowed batch size %d",
            "tei-openai": "%d texts > maximum allowed batch size %d",
        }.get(name, "%d items are more than %d") % (count, most), form.texts)
    if name == "vllm" and "dimensions" in body:
        raise Refusal("type", "the model does not support matryoshka representation", "dimensions")
    if name == "together" and form.api == "rerank" and body["model"] != "Salesforce/Llama-Rank-V1":
        if "rank_fields" in body or not is_list(body["documents"], is_text):
            raise Refusal("type", "the model reads documents that are texts only", "documents")


def embed_rows(name, form, body, dimensions):
    inputs = body[form.texts]
    if not isinstance(inputs, list) or is_list(inputs, is_int):
        inputs = [inputs]
    texts = [text_of(v) if isinstance(v, (str, dict)) else dump(v) for v in inputs]
    if name == "ollama":
        texts = [text for text in texts if text]
    rows = [{"index": i, "value": vector_of(text, dimensions), "document": text}
            for i, text in enumerate(texts)]
    return rows, texts


def rerank_rows(form, body, cut=True):
    documents = body[form.texts]
    texts = [text_of(document, body.get("rank_fields")) for document in documents]
    scores = [score_of(body["query"], text) for text in texts]
    if form.logits or body.get("raw_scores"):
        scores = [logit_of(score) for score in scores]
    rows = [{"index": i, "value": scores[i], "document": documents[i]} for i in range(len(texts))]
    if not cut:
        return rows, texts
    rows.sort(key=lambda row: (-row["value"], row["index"]))
    limit = body.get(form.top, 0) if form.top else 0
    return rows[:limit] if limit > 0 else rows, texts


def fill(name, form, body, dimensions=8, change=None, cut=True):
    """(value of the body, headers) of a right answer; `change` may spoil its rows."""
    if form.api == "chat":
        return complete(body), {}
    if form.api == "embeddings":
        dimensions = body.get(form.dimensions) or dimensions
        rows, texts = embed_rows(name, form, body, dimensions)
    else:
        rows, texts = rerank_rows(form, body, cut)
    if change:
        rows = change(rows)
    if form.encoding and body.get(form.encoding) == "base64":
        for row in rows:
            row["value"] = encode(row["value"])
    reply = Reply(form, body, rows, dimensions, texts)
    headers = {"x-compute-tokens": str(reply.tokens)} if form.tokens_header else {}
    return form.envelope(reply), headers


def judge(path, method, headers, raw, strict=False, most=0):
    """(provider's name, Form, body) of a request in the provider's form; Refusal otherwise."""
    name, form = ROUTES.get(path, (path.partition("/")[2].split("/")[0], None))
    provider = PROVIDERS.get(name)
    if provider is None or form is None:
        raise Refusal("path", "Not Found")
    if method != "POST":
        raise Refusal("method", "Method Not Allowed")
    check_key(provider, headers)
    check_form(headers)
    body = parse_body(raw)
    check_fields(form, body, strict)
    check_limits(name, form, body, most)
    if form.api == "chat":
        question_of(body)
    return name, form, body
