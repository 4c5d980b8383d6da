"""semantic_index as a program sees it: queries, what sync does, how it is created."""
import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import FILMS, Base, add_films, add_index, blob, connect, model_calls  # noqa: E402


class Search(Base):
    def setUp(self):
        super().setUp()
        add_films(self.db)
        add_index(self.db)
        self.progress = self.rows("SELECT * FROM semantic_sync('ix')")

    def test_sync_reports_what_it_did(self):
        embedded, deleted, pending, total, requests, seconds, failed = self.progress[-1]
        self.assertEqual((embedded, deleted, pending, total, failed), (5, 0, 0, 5, 0))
        self.assertGreaterEqual(requests, 1)
        self.assertGreaterEqual(seconds, 0)

    def test_second_sync_embeds_nothing(self):
        before = model_calls(self.db, "embed")
        last = self.rows("SELECT * FROM semantic_sync('ix')")[-1]
        self.assertEqual(last[:5], (0, 0, 0, 5, 0))
        self.assertEqual(model_calls(self.db, "embed"), before)

    def test_a_wrong_vector_of_a_list_is_seen_before_texts_are_paid_for(self):
        before = model_calls(self.db, "embed")
        self.fails("dimensions, as the index has, not 3",
                   """SELECT key FROM semantic_search_each('ix', '["a new text", [1, 2, 3]]')""")
        self.assertEqual(model_calls(self.db, "embed"), before)

    def test_three_forms_of_a_query_agree(self):
        forms = [
            "SELECT rowid, similarity FROM ix('bats in a cave') WHERE k = 3",
            "SELECT rowid, similarity FROM ix WHERE ix MATCH 'bats in a cave' AND k = 3",
            "SELECT rowid, similarity FROM ix WHERE query = 'bats in a cave' AND k = 3",
            "SELECT rowid, similarity FROM ix('bats in a cave', 3)",
        ]
        answers = [self.rows(sql) for sql in forms]
        self.assertEqual(len(answers[0]), 3)
        self.assertEqual(answers[0][0][0], 5)
        for answer in answers[1:]:
            self.assertEqual(answer, answers[0])

    def test_vector_query_equals_text_query(self):
        vector = self.one("SELECT embedding FROM ix WHERE rowid = 5")
        by_blob = self.rows("SELECT rowid, similarity FROM ix(?)", vector)
        self.assertEqual(by_blob[0][0], 5)
        self.assertAlmostEqual(by_blob[0][1], 1.0, places=5)
        text = self.one("SELECT vector_to_json(?)", vector)
        self.assertEqual(self.rows("SELECT rowid, similarity FROM ix(?)", text), by_blob)

    def test_streams_without_k(self):
        rows = self.rows("SELECT similarity FROM ix('bats')")
        self.assertEqual(len(rows), 5)
        self.assertEqual(rows, sorted(rows, reverse=True))
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('bats') LIMIT 2")), 2)

    def test_similarity_is_cosine_sim(self):
        query = self.one("SELECT embedding FROM ix WHERE rowid = 3")
        for id, similarity, exact, distance in self.rows(
            "SELECT rowid, similarity, cosine_sim(embedding, ?1), distance FROM ix(?1)", query
        ):
            self.assertAlmostEqual(similarity, exact, places=5)
            self.assertAlmostEqual(distance, 1 - similarity, places=6)

    def test_filters_apply_before_k(self):
        everything = [row[0] for row in self.rows("SELECT rowid FROM ix('bats')")]
        worst = everything[-2:]
        rows = self.rows(
            "SELECT rowid FROM ix WHERE query = 'bats' AND k = 2 AND rowid IN (SELECT value FROM "
            "json_each(?))",
            json.dumps(worst),
        )
        self.assertEqual([row[0] for row in rows], worst)
        similarities = [row[0] for row in self.rows("SELECT similarity FROM ix('bats')")]
        floor = similarities[1]
        self.assertEqual(self.one("SELECT count(*) FROM ix('bats') WHERE similarity >= ?", floor),
                         2)
        self.assertEqual(self.one("SELECT count(*) FROM ix('bats') WHERE similarity > ?", floor), 1)
        self.assertEqual(self.one("SELECT count(*) FROM ix('bats', 5) WHERE similarity >= 2"), 0)
        self.assertEqual(self.one("SELECT count(*) FROM ix('bats') WHERE similarity >= NULL"), 0)

    def test_several_lists_of_rowids(self):
        for lists in ("rowid IN (1, 2, 3) AND rowid IN (SELECT 3 UNION SELECT 2)",
                      "rowid IN (SELECT 3 UNION SELECT 2) AND rowid IN (3, 2, 1)",
                      "rowid IN (SELECT 2) AND rowid IN (1, 2) AND rowid IN (3, 2)"):
            self.assertIn(self.one(
                f"SELECT rowid FROM ix WHERE query = 'bats' AND k = 1 AND {lists}"),
                          (2, 3))
        self.assertEqual(self.rows("SELECT rowid FROM ix WHERE query = 'bats' AND k = 1 AND "
                                   "rowid IN (1, 2) AND rowid IN (3, 4)"), [])

    def test_rowid_equality_does_not_change_the_answer(self):
        best = self.one("SELECT rowid FROM ix('bats', 1)")
        for id, *_ in FILMS:
            found = self.one("SELECT count(*) FROM ix('bats', 1) AS s JOIN films f ON f.id = "
                             "s.rowid WHERE +f.id = ?", id)
            self.assertEqual(found, int(id == best))
            for order in ("ix AS s CROSS JOIN films AS f", "films AS f CROSS JOIN ix AS s"):
                found = self.one(f"SELECT count(*) FROM {order} WHERE f.id = s.rowid AND +f.id = ? "
                                 "AND s.query = 'bats' AND s.k = 1", id)
                self.assertEqual(found, int(id == best), order)

    def test_relevance_is_computed_when_read_and_once(self):
        self.rows("SELECT title, similarity FROM ix('bats')")
        self.assertEqual(model_calls(self.db, "rerank"), 0)
        rows = self.rows("SELECT title, relevance, rank FROM ix('bats') ORDER BY relevance DESC "
                         "LIMIT 2")
        self.assertEqual(model_calls(self.db, "rerank"), 1)
        self.assertGreaterEqual(rows[0][1], rows[1][1])
        self.rows("SELECT relevance FROM ix('bats') ORDER BY similarity DESC")
        self.assertEqual(model_calls(self.db, "rerank"), 2)

    def test_relevance_is_the_same_in_any_order(self):
        by_relevance = self.rows(
            "SELECT rowid, relevance, rank FROM ix('bats') ORDER BY relevance DESC")
        by_similarity = self.rows(
            "SELECT rowid, relevance, rank FROM ix('bats') ORDER BY similarity DESC")
        self.assertEqual(sorted(by_relevance), sorted(by_similarity))
        self.assertEqual([row[2] for row in by_similarity], [1, 2, 3, 4, 5])

    def test_candidates_bound_relevance_without_k(self):
        self.db.execute("DROP TABLE ix")
        add_index(self.db, options=", candidates=3")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('bats')")), 3)
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('bats', 4)")), 4)
        self.assertEqual(len(self.rows("SELECT similarity FROM ix('bats')")), 5)

    def test_order_is_consumed(self):
        always, never = ["relevance DESC", "rank"], ["relevance", "distance DESC", "title"]
        near = ["similarity DESC", "distance"]
        for options, consumed, others in (
                ("", always + ["score DESC"], never + near + ["score"]),
                (", lexical = 'none'", always + near, never + ["similarity"])):
            self.db.execute("DROP TABLE ix")
            add_index(self.db, options=options)
            for order in consumed + others:
                # the candidates of relevance are in another order than that of their scores
                read = "title" if order == "score DESC" else "title, relevance"
                plan = self.rows(f"EXPLAIN QUERY PLAN SELECT {read} FROM ix('bats') "
                                 f"ORDER BY {order}")
                self.assertEqual("TEMP B-TREE" in str(plan), order in others, order)
        self.db.execute("DROP TABLE ix")
        add_index(self.db)
        plan = self.rows("EXPLAIN QUERY PLAN SELECT relevance FROM ix('bats') ORDER BY score DESC")
        self.assertIn("TEMP B-TREE", str(plan))

    def test_order_over_many_queries_is_sorted(self):
        rows = self.rows(
            "SELECT similarity FROM (SELECT 'bats' q UNION ALL SELECT 'soup' UNION ALL SELECT "
            "'train') "
            "JOIN ix ON ix.query = q AND ix.k = 2 ORDER BY similarity DESC"
        )
        self.assertEqual(len(rows), 6)
        self.assertEqual(rows, sorted(rows, reverse=True))

    def test_query_and_k_read_back(self):
        self.assertEqual(
            self.rows("SELECT DISTINCT query, k, ix FROM ix WHERE query = 'bats' AND k = 2"),
            [("bats", 2, "bats")]
        )
        self.db.execute(
            "CREATE VIEW search AS SELECT s.query, s.k, f.id, f.title, s.similarity, s.relevance, "
            "s.rank "
            "FROM ix s JOIN films f ON f.id = s.rowid"
        )
        direct = self.rows("SELECT title FROM search WHERE query = 'bats' AND k = 3 ORDER BY "
                           "similarity DESC")
        self.assertEqual(len(direct), 3)
        for sql in (
            "SELECT count(*) FROM (SELECT 1) LEFT JOIN search ON query = 'bats' AND k = 3",
            "SELECT count(*) FROM (SELECT DISTINCT title, query FROM search WHERE query = 'bats' "
            "AND k = 3)",
            "SELECT count(*) FROM (SELECT title FROM search WHERE query = 'bats' AND k = 3 GROUP "
            "BY title)",
            "SELECT sum(n) FROM (SELECT count(*) AS n FROM search WHERE query = 'bats' AND k = 3 "
            "UNION ALL SELECT 0)",
        ):
            self.assertEqual(self.one(sql), 3, sql)

    def test_window_over_the_view(self):
        self.db.execute(
            "CREATE VIEW ranked AS SELECT query, k, title, row_number() OVER (PARTITION BY query "
            "ORDER BY similarity "
            "DESC) AS place FROM ix"
        )
        rows = self.rows("SELECT title, place FROM ranked WHERE query = 'bats'")
        self.assertEqual(sorted(row[1] for row in rows), [1, 2, 3, 4, 5])
        self.db.execute("CREATE VIEW lost AS SELECT query, title, row_number() OVER (ORDER BY "
                        "similarity) AS n FROM ix")
        self.fails("the query did not reach the index",
                   "SELECT title FROM lost WHERE query = 'bats'")

    def test_table_of_queries(self):
        self.db.execute("CREATE TABLE queries(id INTEGER PRIMARY KEY, text)")
        self.db.executemany("INSERT INTO queries(text) VALUES (?)", [("bats",), ("soup",), (None,)])
        rows = self.rows("SELECT q.id, s.rowid FROM queries q JOIN ix s ON s.query = q.text AND "
                         "s.k = 1 ORDER BY q.id")
        self.assertEqual([row[0] for row in rows], [1, 2])
        self.assertEqual(rows[1][1], 4)
        rows = self.rows("SELECT q.id, s.title FROM queries q LEFT JOIN ix(q.text, 1) s ORDER BY "
                         "q.id")
        self.assertEqual(len(rows), 3)
        self.assertIsNone(rows[2][1])

    def test_bad_k(self):
        for k in (0, -1, "abc", 1.5, b"x"):
            self.fails("ix: k must be an integer of 1 or more, not",
                       "SELECT rowid FROM ix('bats', ?)", k)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('bats', ?)", 2**40)), 5)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('bats', ?)", None)), 5)
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('bats', ?)", 2**40)), 5)

    def test_bad_queries(self):
        self.assertEqual(self.rows("SELECT rowid FROM ix('')"), [])
        for text in ("CAST(x'ff6261747380' AS TEXT)", "'bats' || char(0)"):
            self.assertEqual(self.rows(f"SELECT rowid FROM ix({text})"),
                             self.rows("SELECT rowid FROM ix('bats')"))
        self.fails("dimensions", "SELECT rowid FROM ix(?)", blob(1, 2, 3))
        self.fails("multiple of 4", "SELECT rowid FROM ix(x'010203')")
        self.fails("relevance needs a query that is text",
                   "SELECT relevance FROM ix((SELECT embedding FROM ix WHERE rowid = 1))")
        self.assertEqual(self.rows("SELECT rowid FROM ix(NULL)"), [])
        self.assertEqual(self.rows("SELECT rowid FROM ix(5) WHERE bm25 > 0"), [])
        self.db.execute("INSERT INTO films VALUES (6, 'Channel 5', '')")
        self.db.execute("INSERT INTO ix(rowid) VALUES (6)")
        self.assertEqual(self.one("SELECT rowid FROM ix(5)"), 6)
        self.db.execute("DELETE FROM films WHERE id = 6")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.rows("SELECT rowid FROM ix(?)", "bats " * 2_000_000)), 5)

    def test_listing(self):
        self.assertEqual(self.rows("SELECT * FROM ix WHERE rowid = 1"), [FILMS[0]])
        self.assertEqual(self.ids(), [1, 2, 3, 4, 5])
        for column in ("query", "k", "similarity", "distance", "relevance", "rank", "ix"):
            self.fails("the query did not reach the index", f"SELECT {column} FROM ix")
        self.assertEqual([r[0] for r in self.rows("SELECT rowid FROM ix WHERE rowid IN (5, 1, 9)")],
                         [1, 5])

    def test_k_must_be_usable(self):
        self.fails("no query solution",
                   "SELECT 1 FROM ix a JOIN ix b ON a.query = b.title AND b.query = a.title")

    def test_content_changes_without_sync(self):
        self.db.execute("UPDATE films SET title = 'Renamed' WHERE id = 1")
        self.assertEqual(self.one("SELECT title FROM ix WHERE rowid = 1"), "Renamed")
        self.db.execute("DELETE FROM films WHERE id = 2")
        self.assertEqual(self.rows("SELECT rowid, title FROM ix WHERE rowid = 2"), [(2, None)])
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('penguin birds')")), 4)
        self.db.execute("INSERT INTO films VALUES (9, 'Owl', 'An owl.')")
        last = self.rows("SELECT * FROM semantic_sync('ix')")[-1]
        self.assertEqual(last[:4], (2, 1, 0, 5))
        self.assertEqual(self.ids(), [1, 3, 4, 5, 9])

    def test_hash_is_of_the_text_columns_only(self):
        self.db.execute("ALTER TABLE films ADD COLUMN seen INTEGER DEFAULT 0")
        self.db.execute("UPDATE films SET seen = 1")
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')"), [(0,)])

    def test_content_emptied_and_dropped(self):
        self.db.execute("DELETE FROM films")
        self.assertEqual(self.rows("SELECT embedded, deleted, total FROM semantic_sync('ix')")[-1],
                         (0, 5, 0))
        self.assertEqual(self.rows("SELECT rowid FROM ix('bats')"), [])
        self.db.execute("DROP TABLE films")
        self.fails("ix: content films cannot be read: no such table",
                   "INSERT INTO ix(ix) VALUES ('sync')")
        self.fails("content films cannot be read", "SELECT * FROM semantic_sync('ix')")
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema"), [])

    def test_content_column_dropped(self):
        self.db.execute("ALTER TABLE films DROP COLUMN overview")
        self.fails("no such column|content films cannot be read", "SELECT overview FROM ix")
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('bats')")), 5)

    def test_empty_texts_are_not_indexed(self):
        self.db.execute("UPDATE films SET title = NULL, overview = '  ' WHERE id = 3")
        self.assertEqual(self.rows("SELECT embedded, deleted, total FROM semantic_sync('ix')")[-1],
                         (0, 1, 4))
        self.db.execute("INSERT INTO ix(rowid) VALUES (3)")
        self.assertEqual(self.ids(), [1, 2, 4, 5])
        self.check()

    def test_bad_row_is_named(self):
        self.db.execute("INSERT INTO films VALUES (7, CAST(x'ff' AS TEXT), 'x'), (8, 'good', "
                        "'row')")
        self.assertEqual(self.rows("SELECT embedded, failed FROM semantic_sync('ix')"), [(1, 1)])
        self.assertRegex(str(self.rows("SELECT * FROM semantic_failures('ix')")), r"\(7, .*UTF-8")
        self.db.execute("UPDATE films SET title = x'00' WHERE id = 7")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertRegex(str(self.rows("SELECT * FROM semantic_failures('ix')")), r"\(7, .*blob")
        self.db.execute("DELETE FROM films WHERE id = 7")
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix')"), 0)
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])

    def test_rename_and_drop(self):
        self.db.execute("ALTER TABLE ix RENAME TO other")
        self.assertEqual(self.rows(
            "SELECT rowid FROM other WHERE other MATCH 'bats in a cave' AND k = 1"), [(5,)])
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('other')"), 0)
        self.db.execute("DROP TABLE other")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name <> 'films'"), [])

    def test_rebuild_and_optimize(self):
        before = self.rows("SELECT rowid, embedding FROM ix")
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(self.rows("SELECT rowid, embedding FROM ix"), before)
        self.db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        self.check()
        self.fails("unknown command 'x'", "INSERT INTO ix(ix) VALUES ('x')")
        self.fails("unknown command 'store-batch'", "INSERT INTO ix(ix) VALUES ('store-batch')")

    def test_sync_is_top_level_only(self):
        self.db.execute("CREATE VIEW v AS SELECT * FROM semantic_sync('ix')")
        self.fails("unsafe use of virtual table", "SELECT * FROM v")
        self.fails("no semantic_index is called nope", "SELECT * FROM semantic_sync('nope')")
        self.fails("not a semantic_index|no semantic_index is called films",
                   "SELECT * FROM semantic_sync('films')")
        self.fails("expected the name of a semantic_index", "SELECT * FROM semantic_sync()")
        self.assertEqual(self.rows("SELECT * FROM semantic_sync(NULL)"), [])

    def test_two_connections_see_one_model(self):
        other = connect(self.path)
        self.addCleanup(other.close)
        mine = self.rows("SELECT rowid, similarity FROM ix('bats in the dark')")
        hits = other.execute("SELECT rowid, similarity FROM ix('bats in the dark')").fetchall()
        self.assertEqual(hits, mine)
        other.execute("INSERT INTO films VALUES (6, 'Owl Night', 'An owl hunts mice at night.')")
        other.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(
            self.rows("SELECT rowid, similarity FROM ix('owl')"),
            other.execute("SELECT rowid, similarity FROM ix('owl')").fetchall(),
        )

    def test_read_only_database(self):
        self.db.close()
        self.db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.assertEqual(self.one("SELECT rowid FROM ix('bats in a cave', 1)"), 5)
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('bats')")), 5)
        self.fails("readonly", "INSERT INTO ix(rowid) VALUES (1)")
        self.db.close()
        db = connect(self.path)
        db.execute("INSERT INTO films VALUES (6, 'New', 'new film')")
        db.close()
        self.db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.fails("readonly", "SELECT * FROM semantic_sync('ix')")

    def test_shadow_tables_edited_by_hand(self):
        self.db.execute("DROP TABLE ix")
        add_index(self.db, options=", quantize='int8', model='builtin:lexical'")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        size = 4 * self.one("SELECT value FROM ix_config WHERE key = 'dimensions'")
        self.db.execute("UPDATE ix_vectors SET vector = x'0102' WHERE id = 1")
        self.fails("row 1: expected a vector of", "SELECT rowid FROM ix('bats')")
        self.fails("row 1: expected a vector of", "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.db.execute(f"UPDATE ix_vectors SET vector = zeroblob({size}) WHERE id = 1")
        self.fails("row 1", "SELECT rowid FROM ix('bats')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.check()
        for damage in (
            "UPDATE ix_model SET bytes = substr(bytes, 1, 10)",
            "UPDATE ix_model SET bytes = randomblob(length(bytes))",
            "UPDATE ix_config SET value = -7 WHERE key = 'dimensions'",
            "UPDATE ix_config SET value = 99 WHERE key = 'format'",
            "UPDATE ix_config SET value = 'file:/etc/passwd' WHERE key = 'model'",
            "UPDATE ix_config SET value = '[[1]]' WHERE key = 'columns'",
            "UPDATE ix_config SET value = 'nonsense' WHERE key = 'columns'",
            "DELETE FROM ix_config",
            "DROP TABLE ix_config",
            "DROP TABLE ix_vectors",
            "DROP TABLE ix_blocks",
        ):
            self.db.execute(damage)
            fresh = connect(self.path)
            with self.assertRaises(sqlite3.Error, msg=damage):
                fresh.execute("SELECT title FROM ix('bats')").fetchall()
            fresh.execute("DROP TABLE IF EXISTS ix")
            self.assertEqual(
                fresh.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'").fetchall(),
                [], damage
            )
            fresh.close()
            self.db.close()
            self.db = connect(self.path)
            add_index(self.db, options=", quantize='int8', model='builtin:lexical'")
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")


class Create(Base):
    def setUp(self):
        super().setUp()
        add_films(self.db)

    def test_errors_name_what_is_wrong(self):
        for options, pattern in (
            ("content='films', text='title', metrik='dot'", "unknown option 'metrik'"),
            ("content='films', text='title', metric='manhattan'",
             "metric must be 'cosine', 'dot' or 'l2', not 'manhattan'"),
            ("content='films', text='title', quantize='pq'", "quantize must be"),
            ("content='films', text='titel'", "text: films has no column 'titel'"),
            ("content='films', text='title', document='nope'",
             "document: films has no column 'nope'"),
            ("content='films'", "option text is missing"),
            ("content='filmz', text='title'", "no table or view filmz"),
            ("text='title'", "need content"),
            ("content='films', text='title', candidates=0", "candidates must be an integer from 1"),
            ("content='films', text='title', dimensions=70000",
             "dimensions must be an integer from 1 to 65536"),
            ("content='films', text='title', dimensions=abc", "dimensions must be"),
            ("content='films', text='title', model='nope:x'", "model: .*nope"),
            ("content='films', text='title', reranker='nope:x'", "reranker: .*nope"),
            ("content='films', content='films', text='title'", "option content is given twice"),
            ("content='films', text='title', content_rowid='nope'",
             "content_rowid: films has no column 'nope'"),
            ("films", "expected option = value"),
            ("content='films', text=''", "expected column names"),
        ):
            self.fails(pattern, f"CREATE VIRTUAL TABLE ix USING semantic_index({options})")
            self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [],
                             options)

    def test_without_rowid_or_a_key_of_one_column_is_refused(self):
        self.db.execute("CREATE TABLE w(id, part, t, PRIMARY KEY(id, part)) WITHOUT ROWID")
        self.fails("WITHOUT ROWID table whose primary key has 2 columns",
                   "CREATE VIRTUAL TABLE ix USING semantic_index(content='w', text='t')")

    def test_view_as_content(self):
        self.db.execute("CREATE VIEW v AS SELECT id + 100 AS key, title || ' film' AS words FROM "
                        "films")
        self.fails("content_rowid",
                   "CREATE VIRTUAL TABLE ix USING semantic_index(content='v', text='words')")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content='v', text='words', "
                        "content_rowid='key')")
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix')"), 5)
        self.assertEqual(self.rows("SELECT rowid, words FROM ix('penguin', 1)"),
                         [(102, "The Penguin Island film")])

    def test_view_with_repeated_or_missing_keys(self):
        self.db.execute("CREATE VIEW v AS SELECT 1 AS key, title FROM films")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content='v', text='title', "
                        "content_rowid='key')")
        self.fails("must be unique: 1 comes twice", "INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("DROP VIEW v")
        self.db.execute("CREATE VIEW v AS SELECT title AS key, title FROM films")
        self.fails("must be an integer", "INSERT INTO ix(ix) VALUES ('sync')")

    def test_columns_of_our_names_are_hidden(self):
        self.db.execute("CREATE TABLE odd(id INTEGER PRIMARY KEY, rank TEXT, \"odd, name\" TEXT, "
                        "embedding TEXT, year INTEGER)")
        self.db.execute("INSERT INTO odd VALUES (1, 'first place', 'medal winner', 'z', 1999)")
        self.db.execute(
            "CREATE VIRTUAL TABLE ix USING semantic_index(content='odd', text='rank, \"odd, "
            "name\"', document='rank')"
        )
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        cursor = self.db.execute("SELECT * FROM ix('medal')")
        self.assertEqual([column[0] for column in cursor.description], ["id", "odd, name", "year"])
        self.assertEqual(cursor.fetchall(), [(1, "medal winner", 1999)])
        self.assertEqual(self.one("SELECT count(*) FROM ix WHERE year = '1999'"), 1)
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('medal')")), 1)

    def test_attached_schema(self):
        other = os.path.join(self.folder.name, "other.db")
        self.db.execute("ATTACH ? AS aux1", (other,))
        add_films(self.db, "aux1", FILMS[:2])
        add_index(self.db, "aux1")
        add_index(self.db)
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix', 'aux1')"), 2)
        self.assertEqual(self.one("SELECT count(*) FROM aux1.ix"), 2)
        self.assertEqual(self.one("SELECT count(*) FROM main.ix"), 0)
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix')"), 5)
        self.db.execute("DROP TABLE aux1.ix")
        self.assertEqual(self.one("SELECT count(*) FROM aux1.sqlite_schema"), 1)

    def test_temp_index(self):
        add_films(self.db, "temp", FILMS[:3])
        add_index(self.db, "temp")
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix')"), 3)

    def test_query_before_first_sync(self):
        add_index(self.db)
        self.assertEqual(self.rows("SELECT rowid FROM ix('bats')"), [])
        self.assertEqual(self.rows("SELECT relevance FROM ix('bats') ORDER BY relevance DESC"), [])

    def test_index_survives_reopening(self):
        add_index(self.db, options=", quantize='int8', metric='l2', candidates=4")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        before = self.rows("SELECT rowid, similarity, relevance FROM ix('bats')")
        self.db.close()
        self.db = connect(self.path)
        self.assertEqual(self.rows("SELECT rowid, similarity, relevance FROM ix('bats')"), before)

    def test_quantised_index_finds_the_same(self):
        self.db.executemany(
            "INSERT INTO films VALUES (?, ?, ?)",
            [(100 + i, f"Film {i}", f"story number {i * i} of {i % 7} people and {i % 13} dogs")
             for i in range(500)],
        )
        for quantize in ("int8", "bit"):
            self.db.execute("DROP TABLE IF EXISTS ix")
            add_index(self.db, options=f", quantize='{quantize}'")
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            exact = [r[0] for r in self.rows(
                "SELECT rowid FROM ix('seven dogs in a cave with bats') LIMIT 10")]
            fast = [r[0] for r in self.rows(
                "SELECT rowid FROM ix('seven dogs in a cave with bats', 10)")]
            self.assertGreaterEqual(len(set(exact) & set(fast)), 9, quantize)
            self.check()
            self.db.execute("UPDATE ix_data SET bytes = zeroblob(length(bytes)) WHERE block = "
                            "(SELECT block FROM ix_rows WHERE id = 101)")
            self.fails("optimize", "INSERT INTO ix(ix) VALUES ('integrity-check')")
            self.db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
            self.check()


if __name__ == "__main__":
    unittest.main()
