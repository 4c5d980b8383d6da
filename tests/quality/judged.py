"""Judged collections: documents, queries, and which documents answer which query.

A collection is a folder with docs.jsonl {"id", "title", "text"} (title may be missing),
queries.jsonl {"id", "text"} and qrels.tsv: query id, document id and grade, parted by tabs, without
a header. A pair that is not listed, or whose grade is not above 0, is not relevant.
"""
import collections
import json
import math
import os


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def ndcg(found, grades, depth=10):
    """Of ids, best first: grades are gains, the discount is log2."""
    best = sorted(grades.values(), reverse=True)[:depth]
    gain = sum(grades.get(doc, 0) / math.log2(i + 2) for i, doc in enumerate(found[:depth]))
    return gain / sum(grade / math.log2(i + 2) for i, grade in enumerate(best))


class Collection:
    def __init__(self, folder):
        self.name = os.path.basename(os.path.normpath(folder))
        documents = read_lines(os.path.join(folder, "docs.jsonl"))
        self.texts = {str(d["id"]): d.get("text") or "" for d in documents}
        self.documents = {str(d["id"]): (d.get("title") or "", d.get("text") or "")
                          for d in documents}
        self.queries = {str(q["id"]): q["text"]
                        for q in read_lines(os.path.join(folder, "queries.jsonl"))}
        self.grades = collections.defaultdict(dict)
        with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as file:
            for line in file:
                query, doc, grade = line.split("\t")
                if float(grade) > 0 and doc in self.documents and query in self.queries:
                    self.grades[query][doc] = float(grade)
