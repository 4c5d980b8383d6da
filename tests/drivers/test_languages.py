"""test_languages.py: the built-in model finds words in the scripts of the world, whatever form they
are typed in, by similarity and reranked, in an index that has more rows than are reranked."""
import os
import sys
import unicodedata
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base  # noqa: E402

# A text, and what is to find it.
TEXTS = [
    ("서울에서 부산까지 기차를 탔다", ["기차", "서울", "부산", "기차가", "기차는"]),
    ("도서관이 아침에 문을 연다", ["도서관", "아침", "도서관에서"]),
    ("비가 와서 우산을 샀다", ["비", "우산", "우산이"]),
    ("ฉันชอบแมวมาก", ["แมว", "ชอบ"]),
    ("เขาไปโรงเรียนทุกวัน", ["โรงเรียน", "ทุกวัน"]),
    ("ຂ້ອຍມັກກິນເຂົ້າ", ["ເຂົ້າ"]),
    ("ខ្ញុំរៀនភាសាខ្មែរ។", ["ភាសា", "ខ្មែរ"]),
    ("မြန်မာဘာသာစကား", ["ဘာသာ", "မြန်မာ"]),
    ("今天天气很好", ["天气", "今天"]),
    ("猫がソファで寝ている", ["猫", "ソファ", "ｿﾌｧ"]),
    ("Zimowa łąka nocą", ["LAKA", "łąka", "noca"]),
    ("Ένας ΔΡΌΜΟΣ στην Αθήνα", ["δρομος", "Δρόμος", "αθηνα"]),
    ("Ёлка в лесу", ["елка", "ЁЛКА", "лесу"]),
    ("كِتَابٌ في المدرسة", ["كتاب", "المدرسه", "كتــاب"]),
    ("این کتاب را می‌خوانم", ["میخوانم", "می‌خوانم", "خوانم"]),
    ("שָׁלוֹם לעולם", ["שלום", "לעולם"]),
    ("Straße in İstanbul", ["STRASSE", "istanbul", "ISTANBUL"]),
    ("l’ordinateur portable", ["ordinateur", "l'ordinateur"]),
    ("the ﬁrst ofﬁce of ｃａｆé m²", ["first office", "cafe", "m2"]),
    ("call process.nextTick later", ["nextTick", "next tick", "nexttick", "NextTick", "tick"]),
    ("class HTTPServer listens", ["HTTPServer", "http server", "httpserver"]),
    ("set max_batch_size first", ["max_batch_size", "batch size", "maxBatchSize", "maxbatchsize"]),
    ("the x-forwarded-for header", ["x-forwarded-for", "xForwardedFor", "forwarded"]),
    ("upgrade to v1.16.2 now", ["v1.16.2", "1.16.2", "1.16"]),
    ("SQLite 3.40.1 is out", ["3.40.1", "v3.40.1", "3.40", "sqlite"]),
    ("crash at 0xDEADBEEF", ["0xdeadbeef", "deadbeef", "DEADBEEF"]),
    ("written in C++ mostly", ["C++", "c++"]),
    ("written in C# mostly", ["C#", "c#"]),
    ("runs on .NET and Node.js", [".NET", "nodejs", "node.js"]),
    ("ping 192.168.7.13 twice", ["192.168.7.13", "192.168"]),
    ("meeting on 2024-05-17", ["2024-05-17", "2024/05/17", "2024-05"]),
    ("an e-mail about wi-fi", ["email", "e-mail", "wifi", "Wi-Fi"]),
    ("it costs $5,000.00", ["5000", "$5,000", "5,000.00"]),
    ("हिन्दी में लिखा है।", ["हिन्दी", "है"]),
    ("தமிழ் மொழி", ["தமிழ்"]),
]
OTHERS = [f"{what} {where}" for what in ("a harbour", "the rules", "bread", "maps", "soup")
          for where in ("at night", "of the game", "by the river", "in winter", "for children",
                        "and butter")]


class Languages(Base):
    OPTIONS = ", model = 'builtin:lexical'"
    MISSED = ()  # queries whose row is not the best

    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE many(id INTEGER PRIMARY KEY, body TEXT)")
        bodies = [unicodedata.normalize("NFD" if i % 2 else "NFC", text)
                  for i, (text, _) in enumerate(TEXTS)]
        self.db.executemany("INSERT INTO many(body) VALUES (?)", [(b,) for b in bodies + OTHERS])
        self.db.execute("CREATE VIRTUAL TABLE i USING semantic_index(content = many, text = body"
                        f"{self.OPTIONS})")
        self.db.execute("INSERT INTO i(i) VALUES ('sync')")

    def test_found(self):
        for number, (text, queries) in enumerate(TEXTS, 1):
            for query in set(queries) - set(self.MISSED):
                for form in ("NFC", "NFD"):
                    with self.subTest(text=text, query=query, form=form):
                        typed = unicodedata.normalize(form, query)
                        nearest = self.rows("SELECT rowid FROM i(?, 1)", typed)
                        self.assertEqual(nearest, [(number,)])
                        best = self.rows("SELECT rowid FROM i(?) ORDER BY relevance DESC LIMIT 1",
                                         typed)
                        self.assertEqual(best, [(number,)])

    def test_the_same_vector(self):
        for text, _ in TEXTS:
            for form in ("NFC", "NFD", "NFKC", "NFKD"):
                with self.subTest(text=text, form=form):
                    self.assertEqual(self.rows("SELECT embed(?, 'builtin:lexical') = "
                                               "embed(?, 'builtin:lexical'), rerank(?, 'bats') = "
                                               "rerank(?, 'bats')", text,
                                               unicodedata.normalize(form, text), text,
                                               unicodedata.normalize(form, text)), [(1, 1)])

    def test_nothing_found(self):
        for query in ("강아지", "犬", "собака", "כלב", "zxqv", "→", "👍"):
            with self.subTest(query=query):
                self.assertEqual(self.rows("SELECT rowid FROM i(?, 5)", query), [])


class ByDefault(Languages):
    """Words as FTS5's tokenizer reads them, and meaning."""
    OPTIONS = ""
    MISSED = ("비", "LAKA")

    def test_the_same_vector(self):
        for text, _ in TEXTS:
            for form in ("NFC", "NFD", "NFKC", "NFKD"):
                with self.subTest(text=text, form=form):
                    self.assertEqual(self.one("SELECT embed(?) = embed(?)", text,
                                              unicodedata.normalize(form, text)), 1)

    def test_nothing_found(self):
        for query in ("강아지", "犬", "כלב", "→", "👍"):
            with self.subTest(query=query):
                self.assertEqual(self.rows("SELECT rowid FROM i(?, 5)", query), [])
        for query in ("собака", "zxqv"):  # pieces of words mean something to it
            self.assertEqual(self.rows("SELECT rowid FROM i(?, 5) WHERE bm25 > 0", query), [])


if __name__ == "__main__":
    unittest.main()
