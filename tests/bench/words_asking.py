"""words_asking.py: what a query of an index with words and meaning takes, beside FTS5's own query.

Each line is a query of five words for the 10 best rows: the milliseconds of the median search for
both sides fused, for words alone and for vectors alone (`weight` 0 and 1), and of FTS5's own
`MATCH 'a OR b OR c OR d OR e' ORDER BY rank LIMIT 10` with the same stems, which takes turns with
them. No query is the one before: each has another word beside
the five, that no row has. The first of all finds nothing in memory.
"""
import statistics

MODEL = ("model = 'builtin:static', storage = 'int8', lexical = 'fts5', "
         "tokenizer = 'rerank porter unicode61 remove_diacritics 2'")
PLAIN = "porter unicode61 remove_diacritics 2"

# Milliseconds by the number of rows, and how many times FTS5's own.
AIMS = {100000: 15, 1000000: 60}
TIMES = 1.5

WAYS = (("fused", ""), ("words", " AND weight = 0"), ("vectors", " AND weight = 1"))


def fill(db, texts, n):
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO docs VALUES (?, ?)", enumerate(texts(n), 1))
    db.execute("COMMIT")
    db.execute("CREATE VIRTUAL TABLE alone USING fts5(body, content = 'docs', "
               f"content_rowid = 'id', tokenize = '{PLAIN}')")
    db.execute("INSERT INTO alone(alone) VALUES ('rebuild')")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
               f"{MODEL})")
    db.execute("INSERT INTO ix(ix) VALUES ('sync')")


def search(db, words, way, turn):
    return db.execute(f"SELECT rowid FROM ix WHERE query = ? AND k = 10{way}",
                      (f"{' '.join(words)} nobody{turn}",)).fetchall()


def fts5(db, words):
    return db.execute("SELECT rowid FROM alone WHERE alone MATCH ? ORDER BY rank LIMIT 10",
                      (" OR ".join(f'"{word}"' for word in words),)).fetchall()


def median(clock, calls, n_searches):
    """Milliseconds of each of some calls, which take turns."""
    times = [[] for _ in calls]
    for turn in range(n_searches):
        for i, call in enumerate(calls):
            begun = clock()
            call(turn)
            times[i].append((clock() - begun) * 1000)
    return [statistics.median(t) for t in times]


def measure(db, n, queries, n_searches, clock, table):
    """Prints a line for each of the queries, (name, words), of an index of n rows."""
    begun = clock()
    search(db, queries[0][1], "", "")
    print(f"the first query of all {(clock() - begun) * 1000:.1f} ms")
    most = AIMS.get(n)
    for name, words in queries:
        calls = [lambda turn, w=words, way=way: search(db, w, way, turn) for _, way in WAYS]
        calls.append(lambda turn, w=words: fts5(db, w))
        *ours, theirs = median(clock, calls, n_searches)
        aim = min(most, TIMES * theirs) if n == 100000 else most
        figures = "   ".join(f"{way} {time:6.2f}" for (way, _), time in zip(WAYS, ours))
        print(f"  {name:30} {figures}   FTS5 {theirs:7.2f}", flush=True)
        table.note(f"{n:,} rows, {name}: fused", ours[0], aim, unit=" ms")
