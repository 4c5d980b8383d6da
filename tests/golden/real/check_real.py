"""check_real.py: real weights against published numbers.

    check_real.py LIBRARY [FOLDER]   FOLDER: for RERANK_MODEL_PATH; the Hugging Face cache is looked
    in too

BAAI/bge-base-en-v1.5 with the published movies (RERANK_SHARED/movies.json): the cosines of the
first ten with the query, and the order of the nearest, as the notebook that the movies come from
prints them. Its texts are title, overview and tagline after str(), so that a film without a tagline
ends in "None".

cross-encoder/ms-marco-MiniLM-L6-v2: the logits of its model card. The known wrong port leaves the
pooler (dense, tanh) out and gives the classifier the first token's state as it is: a logit about 0
and .498 as its sigmoid, where the right one is above .999. With numpy the wrong value is shown
beside the right one, and both models are compared with tests/golden/local/reference.py too.

Exit status: 0 all agree, 1 something differs, 2 nothing could be checked.
"""
import json
import math
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "local"))
try:
    import reference
except ImportError:
    reference = None

QUERY = "super hero mystery action movie about bats"
COSINES = [0.40771197, 0.38049766, 0.41696283, 0.45355013, 0.42999108, 0.38060093, 0.45121266,
           0.45003822, 0.3967806, 0.48520776]
ORDER = [13, 265, 451, 33, 56, 17, 140, 450, 58, 828]
EMBEDDER, CROSS = "BAAI/bge-base-en-v1.5", "cross-encoder/ms-marco-MiniLM-L6-v2"
QUESTION = "How many people live in Berlin?"
PASSAGES = [("Berlin had a population of 3,520,031 registered inhabitants in an area of 891.82 "
             "square "
             "kilometers.", 8.607138),
            ("Berlin is well known for its museums.", -4.320078)]
HOSTED = 2e-3       # the published cosines come from a hosted copy, perhaps of reduced precision
LOGIT = 1e-3
SAME_WEIGHTS = 2e-5


class Checks:
    def __init__(self):
        self.good = self.bad = 0

    def note(self, is_good, text):
        self.good += is_good
        self.bad += not is_good
        print("ok  " if is_good else "DIFF", text)

    def near(self, what, got, wanted, tolerance):
        self.note(abs(got - wanted) <= tolerance,
                  f"{what}: {got:.6f}, wanted {wanted:.6f} within {tolerance:g}")


def folder_of(name):
    """Where the model lies, for the reference; None if it is not below RERANK_MODEL_PATH."""
    for root in filter(None, os.environ.get("RERANK_MODEL_PATH", "").split(":")):
        if os.path.exists(os.path.join(root, name, "config.json")):
            return os.path.join(root, name)
    return None


def reference_of(name):
    folder = folder_of(name)
    if reference is None or folder is None:
        print(f"     not compared with the reference: "
              f"{'no numpy' if reference is None else 'no plain folder'}")
        return None
    return reference.Model(folder)


def read_movies():
    path = os.path.join(os.environ.get("RERANK_SHARED", ""), "movies.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        movies = json.load(file)
    return [" ".join(str(movie.get(field, ""))
                     for field in ("title", "overview", "tagline")).strip()
            for movie in movies]


def check_embedder(db, checks):
    texts = read_movies()
    if texts is None:
        print("     skipped: no movies.json (RERANK_SHARED names the folder that holds it)")
        return
    rows = db.execute("SELECT cosine_sim(embedding, embed(?1, ?2, 'query')) FROM embed_each(?3, "
                      "?2) ORDER BY key",
                      (QUERY, "local:" + EMBEDDER, json.dumps(texts))).fetchall()
    cosines = [cosine for (cosine,) in rows]
    for number, wanted in enumerate(COSINES):
        checks.near(f"cosine of movie {number}", cosines[number], wanted, HOSTED)
    order = sorted(range(len(texts)), key=lambda number: -cosines[number])[:len(ORDER)]
    checks.note(order == ORDER, f"the nearest: {order}, published {ORDER}")
    if sorted(order) == sorted(ORDER) and order != ORDER:
        print("     the same films: look whether those that changed places are nearer than the "
              "tolerance")
    oracle = reference_of(EMBEDDER)
    if oracle:
        query = oracle.embed(QUERY)
        for number in range(3):
            checks.near(f"reference, movie {number}", cosines[number],
                        float(oracle.embed(texts[number]) @ query), SAME_WEIGHTS)


def without_pooler(oracle, passage):
    """What the wrong port gives: the classifier on the first token's hidden state."""
    ids, segments, _ = oracle.pieces.ids(QUESTION, passage, oracle.max_tokens)
    return float(oracle.linear("classifier", oracle.hidden(ids, segments)[0])[0])


def check_cross(db, checks):
    oracle = None
    for number, (passage, logit) in enumerate(PASSAGES):
        (got,) = db.execute("SELECT rerank(?, ?, ?)",
                            (QUESTION, passage, "local:" + CROSS)).fetchone()
        checks.near(f"logit of {passage[:24]!r}", got, logit, LOGIT)
        oracle = oracle or (reference_of(CROSS) if number == 0 else None)
        if oracle:
            checks.near("reference", got, oracle.logit(QUESTION, passage), SAME_WEIGHTS * 10)
            wrong = without_pooler(oracle, passage)
            print(f"     sigmoid {1 / (1 + math.exp(-got)):.5f}; without the pooler it would be "
                  f"{1 / (1 + math.exp(-wrong)):.5f}")


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    if len(sys.argv) == 3:
        os.environ["RERANK_MODEL_PATH"] = os.path.abspath(sys.argv[2])
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(os.path.abspath(sys.argv[1]))
    checks = Checks()
    for name, work in ((EMBEDDER, check_embedder), (CROSS, check_cross)):
        print(name)
        try:
            work(db, checks)
        except sqlite3.Error as error:
            if "no model" not in str(error):
                checks.note(False, str(error))
            else:
                print("     skipped:", error)
    print(f"{checks.good} agree, {checks.bad} differ")
    if checks.good + checks.bad == 0:
        print("nothing was checked: make model MODEL=" + EMBEDDER
              + ", or name a folder that holds it")
        return 2
    return 1 if checks.bad else 0


if __name__ == "__main__":
    sys.exit(main())
