"""pieces.py: text to token ids in plain Python, from a model's folder.

WordPiece (Devlin et al. 2019) over vocab.txt or tokenizer.json, and Unigram (Kudo 2018). What a
real tokenizer.json of these two families asks for, and no more: it is the oracle of the tests, not
a product.
"""
import json
import math
import os
import unicodedata


def is_mark(character):
    return unicodedata.category(character) == "Mn"


def is_control(character):
    return character not in "\t\n\r" and unicodedata.category(character).startswith("C")


def is_punctuation(character):
    code = ord(character)
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_symbol or unicodedata.category(character).startswith("P")


def is_ideograph(character):
    code = ord(character)
    return any(first <= code <= last for first, last in (
        (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)))


def bert_words(text, lower):
    text = "".join(" " if character.isspace() else character for character in text
                   if character not in "\0\ufffd" and not is_control(character))
    text = "".join(f" {character} " if is_ideograph(character) else character for character in text)
    if lower:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not is_mark(c)).lower()
    return "".join(f" {character} " if is_punctuation(character) else character
                   for character in text).split()


class Pieces:
    """ids(text, pair) with special tokens, cut as the Hugging Face tokenizers' longest_first."""

    def __init__(self, folder):
        path = os.path.join(folder, "tokenizer.json")
        self.is_unigram = False
        self.lower = True
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.read_json(json.load(file))
        else:
            with open(os.path.join(folder, "vocab.txt"), encoding="utf-8") as file:
                self.vocabulary = {line.rstrip("\n"): number for number, line in enumerate(file)}
            with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as file:
                self.lower = json.load(file).get("do_lower_case", True)
        self.is_roberta = "<s>" in self.vocabulary      # pairs are <s> A </s></s> B </s>
        names = ("<s>", "</s>") if self.is_roberta else ("[CLS]", "[SEP]")
        names += ("<unk>",) if self.is_unigram else ("[UNK]",)
        self.begin, self.end, self.unknown = (self.vocabulary[name] for name in names)

    def read_json(self, tokenizer):
        model = tokenizer["model"]
        self.is_unigram = "unk_id" in model
        if not self.is_unigram:
            self.vocabulary = model["vocab"]
            self.lower = tokenizer["normalizer"]["lowercase"]
            return
        self.vocabulary = {piece: number for number, (piece, _) in enumerate(model["vocab"])}
        self.scores = dict(model["vocab"])
        self.longest = max(map(len, self.scores))
        self.unknown_score = min(self.scores.values()) - 10

    def word_pieces(self, word):
        ids, first = [], 0
        while first < len(word):
            for last in range(len(word), first, -1):
                piece = ("##" if first else "") + word[first:last]
                if piece in self.vocabulary:
                    break
            else:
                return [self.unknown]
            ids.append(self.vocabulary[piece])
            first = last
        return ids if len(word) <= 100 else [self.unknown]

    def best_path(self, word):
        """The split with the highest sum of scores; unknown characters in a row are one token."""
        best = [(0.0, 0, None)] + [(-math.inf, 0, None)] * len(word)
        for first in range(len(word)):
            pieces = [(word[first:last], last) for last in
                      range(first + 1, min(len(word), first + self.longest) + 1)
                      if word[first:last] in self.scores]
            options = [(self.scores[piece], last, self.vocabulary[piece]) for piece, last in pieces]
            if all(last != first + 1 for _, last in pieces):
                options.append((self.unknown_score, first + 1, self.unknown))
            for score, last, number in options:
                if best[first][0] + score > best[last][0]:
                    best[last] = (best[first][0] + score, first, number)
        ids, at = [], len(word)
        while at > 0:
            _, first, number = best[at]
            if not (number == self.unknown and ids and ids[-1] == self.unknown):
                ids.append(number)
            at = first
        return ids[::-1]

    def plain(self, text):
        """Without special tokens."""
        if not self.is_unigram:
            words = bert_words(text, self.lower)
            return [number for word in words for number in self.word_pieces(word)]
        words = unicodedata.normalize("NFKC", text).split()
        return [number for word in words for number in self.best_path("▁" + word)]

    def special(self, is_pair):
        return (4 if self.is_roberta else 3) if is_pair else 2

    def cut(self, first, second, room):
        if second is None:
            return first[:room], None
        less, more = sorted((len(first), len(second)))
        more_room = max(less, room - less) if less <= room else less
        if less + more_room > room:
            less = room // 2
            more_room = less + room % 2
        if len(first) > len(second):
            less, more_room = more_room, less
        return first[:less], second[:more_room]

    def ids(self, text, pair=None, max_tokens=0):
        """(ids, segments, whether some were left out)"""
        first = self.plain(text)
        second = None if pair is None else self.plain(pair)
        n_tokens = len(first) + len(second or []) + self.special(pair is not None)
        is_cut = 0 < max_tokens < n_tokens
        if is_cut:
            first, second = self.cut(first, second, max_tokens - self.special(pair is not None))
        ids = [self.begin, *first, self.end]
        if pair is None:
            return ids, [0] * len(ids), is_cut
        rest = [self.end] * self.is_roberta + [*second, self.end]
        return ids + rest, [0] * len(ids) + [0 if self.is_roberta else 1] * len(rest), is_cut
