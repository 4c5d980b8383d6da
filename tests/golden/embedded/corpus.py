"""corpus.py OUT.txt: the texts that a table is trained on, one a line, each once, in random order.

From what Debian installs: WordNet's glosses, FOLDOC, the Jargon File, the descriptions of packages,
AppStream's, and the documentation below /usr/share/doc. No collection that search is judged by.
"""
import glob
import gzip
import html
import os
import random
import re
import subprocess
import sys

SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\"(])")
LENGTHS = (60, 120, 220, 440)   # characters of a text of several sentences, drawn: all are seen
LONGEST = 600
NO_TEXT = re.compile(r"(copyright|changelog|NEWS|ChangeLog|AUTHORS|THANKS|TODO|BUGS)")
DOCUMENT = re.compile(r"(\.txt|\.html?|\.rst|\.md|README[^.]*|FAQ[^.]*|\.xhtml)$")


class Corpus:
    def __init__(self):
        self.texts = {}   # lower case -> the text

    def add(self, text, shortest=12):
        text = re.sub(r"\s+", " ", text).strip()
        n_letters = sum(c.isalpha() or c == " " for c in text)
        if shortest <= len(text) <= LONGEST and n_letters > .75 * len(text):
            self.texts.setdefault(text.lower(), text)

    def add_sentences(self, paragraph):
        """Sentences joined up to a length that is drawn for each text."""
        text, limit = "", random.choice(LENGTHS)
        for sentence in SENTENCE_END.split(re.sub(r"\s+", " ", paragraph)):
            if text and len(text) + len(sentence) > limit:
                self.add(text)
                text, limit = "", random.choice(LENGTHS)
            text = (text + " " + sentence).strip()
        self.add(text[:LONGEST])


def read_synsets(part):
    """The offset of a set of synonyms -> its words, its gloss, and what it is a kind of."""
    synsets = {}
    with open(f"/usr/share/wordnet/data.{part}", encoding="latin1") as file:
        for line in file:
            if line.startswith(" "):
                continue
            head, gloss = line.rstrip("\n").split(" | ", 1)
            fields = head.split()
            n = int(fields[3], 16)
            words = [re.sub(r"\(.*?\)", "", fields[4 + 2 * i]).replace("_", " ") for i in range(n)]
            kinds = [fields[j + 1] for j in range(5 + 2 * n, len(fields) - 3)
                     if fields[j] in ("@", "@i")]
            synsets[fields[0]] = words, gloss, kinds[:1]
    return synsets


def add_wordnet(corpus):
    for part in ("noun", "verb", "adj", "adv"):
        synsets = read_synsets(part)
        for words, gloss, kinds in synsets.values():
            meaning = re.sub(r';?\s*"[^"]*"', "", gloss).strip("; ")
            corpus.add(f"{words[0]}: {meaning}")
            corpus.add(meaning)
            if len(words) > 1:
                corpus.add(", ".join(words), 4)
            for example in re.findall(r'"([^"]+)"', gloss):
                corpus.add(example)
            for kind in kinds:
                if kind in synsets:
                    rest = "" if len(meaning) > 60 else "; " + meaning
                    corpus.add(f"{words[-1]} is a kind of {synsets[kind][0][0]}{rest}")


def add_dictionaries(corpus):
    for name in ("foldoc", "jargon"):
        with gzip.open(f"/usr/share/dictd/{name}.dict.dz", "rt", encoding="utf-8",
                       errors="replace") as file:
            text = re.sub(r"[{}<>]", "", file.read())
        for paragraph in re.split(r"\n\s*\n|\n(?=\S)", text):
            corpus.add_sentences(paragraph)


def add_packages(corpus):
    seen = set()
    listing = subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE).stdout
    for stanza in listing.decode("utf-8", "replace").split("\n\n"):
        match = re.search(r"^Description(?:-en)?: (.*(?:\n .*)*)", stanza, re.MULTILINE)
        if not match:
            continue
        short, *long = match.group(1).split("\n")
        corpus.add(short)
        for paragraph in "\n".join(long).split("\n ."):
            if paragraph not in seen:
                seen.add(paragraph)
                corpus.add_sentences(paragraph)


def add_appstream(corpus):
    for path in sorted(glob.glob("/var/lib/apt/lists/*dep11*Components*.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            stanzas = file.read().split("\n---\n")
        for stanza in stanzas:
            match = re.search(r"^Description:\n  C: ?(?:>-?)?\n?((?:.*\n)(?:    .*\n|\n)*)", stanza,
                              re.MULTILINE)
            if not match:
                continue
            for found in re.findall(r"<p>(.*?)</p>|<li>(.*?)</li>", match.group(1), re.DOTALL):
                corpus.add_sentences(html.unescape(" ".join(found)))


def strip_tags(text):
    text = re.sub(r"(?s)<(script|style|pre|code|head).*?</\1>", " ", text)
    text = re.sub(r"</(p|li|h\d|td|dd|dt|div)>", "\n\n", text)
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def add_documents(corpus):
    for folder, _, names in sorted(os.walk("/usr/share/doc")):
        for name in sorted(names):
            plain = name[:-3] if name.endswith(".gz") else name
            if NO_TEXT.match(name) or not DOCUMENT.search(plain):
                continue
            opener = gzip.open if name.endswith(".gz") else open
            try:
                with opener(os.path.join(folder, name), "rt", encoding="utf-8") as file:
                    text = file.read(400000)
            except (OSError, UnicodeDecodeError):
                continue
            if "htm" in plain[-6:]:
                text = strip_tags(text)
            for paragraph in re.split(r"\n\s*\n", text):
                paragraph = re.sub(r"[=*_`#~|^-]{2,}|[*_`#|]", " ", paragraph)
                if len(paragraph) > 60:
                    corpus.add_sentences(paragraph)


def main():
    random.seed(1)
    corpus = Corpus()
    for add in (add_wordnet, add_dictionaries, add_packages, add_appstream, add_documents):
        add(corpus)
        print(add.__name__, len(corpus.texts), file=sys.stderr)
    texts = list(corpus.texts.values())
    random.shuffle(texts)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in texts)


if __name__ == "__main__":
    main()
