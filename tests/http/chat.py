"""chat.py: chat completions as the loopback server gives them, and what can be wrong with one.

A right answer ranks the documents of the user message by score_of(). It is JSON where a schema was
asked for, else "[3] > [1] > [2]". CHATS change a right answer; each says what it does by its name.
"""
import json

from forms import Form, Refusal, count_tokens, dump, score_of

def chat_form(path):
    return Form("chat", path, "model:filled! messages:messages! temperature:temperature "
                "response_format:format seed:integer user:text max_tokens:positive", None,
                "messages", indexed=False)


def question_of(body):
    """What the user message holds; Refusal when it is not a query and numbered documents."""
    content = body["messages"][-1]["content"]
    try:
        question = json.loads(content[content.index('{"query"'):])
        numbers = [document["id"] for document in question["documents"]]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError("the documents are not numbered")
        return question
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal("type", "messages: %s" % error, "messages") from None


def complete(body):
    """The body of a right answer."""
    question = question_of(body)
    scores = {document["id"]: score_of(question["query"], document["text"])
              for document in question["documents"]}
    ids = sorted(scores, key=lambda number: (-scores[number], number))
    content = dump({"ranking": ids}) if "response_format" in body else arrows(ids)
    n_in = count_tokens([message["content"] for message in body["messages"]])
    n_out = count_tokens([content])
    return {
        "id": "chatcmpl-loop", "object": "chat.completion", "created": 1700000000,
        "model": body["model"], "system_fingerprint": "fp_loop",
        "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": content, "refusal": None,
                                 "annotations": []}}],
        "usage": {"prompt_tokens": n_in, "completion_tokens": n_out,
                  "total_tokens": n_in + n_out}}


# ---- what can be wrong with one ------------------------------------------------------------------


def arrows(ids):
    return " > ".join("[%d]" % number for number in ids)


def ids_of(answer):
    content = answer["choices"][0]["message"]["content"]
    return json.loads(content)["ranking"] if content[0] == "{" else [
        int(number.strip("[] ")) for number in content.split(">")]


def saying(text, finish_reason="stop"):
    """The content is text(ids)."""
    def change(answer):
        ids = ids_of(answer)
        answer["choices"][0]["message"]["content"] = text(ids)
        answer["choices"][0]["finish_reason"] = finish_reason
        return answer
    return change


def with_message(finish_reason="stop", **fields):
    def change(answer):
        answer["choices"][0]["message"].update(fields)
        answer["choices"][0]["finish_reason"] = finish_reason
        return answer
    return change


def with_choices(choices):
    def change(answer):
        answer["choices"] = choices
        return answer
    return change


def ranking(ids):
    return dump({"ranking": ids})


CHATS = {
    # forms of a right ranking
    "arrows": saying(arrows),
    "commas": saying(lambda ids: ",".join(map(str, ids))),
    "array": saying(dump),
    "fenced": saying(lambda ids: "Here you are:\n```json\n{\n  \"ranking\": %s\n}\n```\nOf the %d "
                     "documents, 1 is the best." % (ids, len(ids))),
    "texts": saying(lambda ids: ranking([str(number) for number in ids])),
    "objects": saying(lambda ids: dump({"results": [{"rank": rank, "id": number} for rank, number
                                                    in enumerate(ids, 1)]})),
    "lines": saying(lambda ids: "".join("%d. [%d] because it says so\n" % row
                                        for row in enumerate(ids, 1))),
    "thinking": saying(lambda ids: "<think>\nFirst %s, or rather\n{\"ranking\": %s}?\n</think>\n%s"
                       % (arrows(ids[::-1]), ids[::-1], ranking(ids))),
    "thought_end": saying(lambda ids: "%s it is not.</think>%s" % (arrows(ids[::-1]),
                                                                    arrows(ids))),
    "parts": lambda answer: with_message(content=[
        {"type": "thinking", "thinking": [{"type": "text", "text": "1 > 2 > 3"}]},
        {"type": "text", "text": ranking(ids_of(answer))}])(answer),
    # what is repaired
    "half_list": saying(lambda ids: ranking(ids[:len(ids) // 2])),
    "invented": saying(lambda ids: ranking([0, len(ids) + 1] + ids[:1] + [-2, 1.5, 10 ** 30]
                                           + ids[1:] + [99])),
    "doubled": saying(lambda ids: ranking([number for number in ids for _ in (1, 2)] + ids[:2])),
    "cut_off": saying(lambda ids: ranking(ids)[:-2 - 2 * (len(ids) // 2)], "length"),
    # what is an error
    "prose": saying(lambda ids: "I would say that all %d of these are fine." % len(ids)),
    "cut_empty": saying(lambda ids: "<think>So document 2 is", "length"),
    "refusal": with_message(content=None, refusal="I'm sorry, I cannot rank these."),
    "content_null": with_message(content=None),
    "content_empty": with_message(content=""),
    "tool_calls": with_message("tool_calls", content=None, tool_calls=[
        {"id": "call_1", "type": "function",
         "function": {"name": "search_web", "arguments": "{\"q\": \"3,1,2\"}"}}]),
    "content_filter": with_message("content_filter", content=None),
    "no_choices": with_choices([]),
    "choices_missing": with_choices(None),
    "empty_choice": with_choices([{}]),
}
