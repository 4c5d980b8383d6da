"""Runs the recipes in sql/ through the shell, on both sets of movies."""
import glob
import json
import os
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
OWN_MOVIES = os.path.join(support.ROOT, "datasets", "movies.json")


def text_of(recipe):
    with open(os.path.join(support.ROOT, "sql", recipe + ".sql"), encoding="utf-8") as file:
        return file.read()


def lines_of(output):
    return [line for line in output.splitlines() if line]


class Recipes:
    """The tests, run once for each set of movies."""

    movies = None

    def setUp(self):
        self.workplace = support.Workplace(self.movies)
        self.addCleanup(self.workplace.close)

    def recipe(self, name):
        status, output = self.workplace.run(f".read sql/{name}.sql\n")
        self.assertNotRegex(output, r"(?i)\berror\b")
        self.assertEqual(status, 0, output)
        return lines_of(output)

    def count(self):
        with open(self.movies or OWN_MOVIES, encoding="utf-8") as file:
            return len(json.load(file))

    def test_each_recipe_has_a_test(self):
        names = {os.path.basename(path)[:-4] for path in
                 glob.glob(os.path.join(support.ROOT, "sql", "*.sql"))}
        tested = {name[len("test_recipe_"):] for name in dir(self) if "test_recipe_" in name}
        self.assertEqual(names, tested)

    def test_recipe_load_movies(self):
        self.assertEqual(self.recipe("load_movies"), [f"{self.count()} movies loaded"])

    def check_reranked(self, rows):
        """rank|title|...|relevance, five of them, best first, a Batman film on top: but for "Super
        8", of whose title the query has more, where there is one."""
        self.assertEqual([row.split("|")[0] for row in rows], ["1", "2", "3", "4", "5"])
        scores = [float(row.split("|")[-1]) for row in rows]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertIn("Batman", rows["Super 8" in rows[0]])

    def test_recipe_step_by_step(self):
        rows = self.recipe("step_by_step")
        self.assertEqual(len(rows), 1 + 25 + 5)
        similarities = [float(row.split("|")[1]) for row in rows[1:26]]
        self.assertEqual(similarities, sorted(similarities, reverse=True))
        titles = {row.split("|")[0] for row in rows[1:26]}
        self.assertTrue({row.split("|")[1] for row in rows[26:]} <= titles)
        self.check_reranked(rows[26:])

    def test_recipe_one_query(self):
        one = self.recipe("one_query")[1:]
        self.check_reranked(one)
        steps = self.recipe("step_by_step")[26:]
        self.assertEqual([row.split("|")[1] for row in one], [row.split("|")[1] for row in steps])

    def test_recipe_index(self):
        rows = self.recipe("index")
        n = self.count()
        while rows[1] != f"{n}|0|0|{n}":  # a row per batch, the totals in the last
            rows.pop(1)
        rows = rows[2:]
        self.assertEqual(len(rows), 5 + 3 + 3 + 3 + 4, rows)
        self.assertIn("Batman", rows[0])
        self.assertEqual(rows[5:8], rows[8:11])
        self.assertEqual(rows[5:8], rows[11:14])
        self.assertEqual(rows[14], "Batman Begins")

    def test_recipe_views(self):
        rows = self.recipe("views")[1:]
        self.assertEqual(len(rows), 5 + 9 + 3, rows)
        self.assertEqual([row.split("|")[0] for row in rows[5:14]],
                         ["a heist goes wrong"] * 3 + ["lost in space"] * 3 +
                         ["young wizard at school"] * 3)
        self.assertEqual([row.split("|")[0] for row in rows[14:]], ["1", "2", "3"])
        self.assertEqual([row.split("|")[1] for row in rows[8:11]],
                         [row.split("|")[1] for row in rows[14:]])

    def test_recipe_triggers(self):
        self.assertEqual(self.recipe("triggers")[1:], ["The Lighthouse Piano", "0"])

    def test_recipe_filter_by_genre(self):
        rows = self.recipe("filter_by_genre")[1:]
        animated = rows[:10]
        self.assertEqual(len(animated), 10)
        for row in animated:
            self.assertIn("Animation", row.split("|")[1])
        for row in rows[10:]:
            self.assertIn("Christopher Nolan", row)

    def test_recipe_many_queries(self):
        rows = self.recipe("many_queries")[1:]
        self.assertEqual([row.split("|")[0] for row in rows[:6]], ["heist"] * 3 + ["space"] * 3)
        self.assertEqual(len(rows), 6 + 3, rows)

    def test_recipe_chunks(self):
        rows = self.recipe("chunks")[1:]
        synced = [tuple(map(int, row.split("|"))) for row in rows if re.fullmatch(r"\d+\|\d+", row)]
        found = [row for row in rows if not re.fullmatch(r"\d+\|\d+", row)]
        self.assertEqual(len(found), 3, rows)
        self.assertIn("Francis Ford Coppola", found[0])
        self.assertGreater(synced[-2][0], 60)
        self.assertLess(synced[-1][0], 5)  # one document's pieces
        self.assertGreater(synced[-1][1], 0)

    def test_recipe_more_like_this(self):
        rows = self.recipe("more_like_this")[1:]
        self.assertEqual(len(rows), 5 + 5, rows)
        similarities = [float(row.split("|")[1]) for row in rows[:5]]
        self.assertEqual(similarities, sorted(similarities, reverse=True))
        self.assertNotIn("Batman Begins", [row.split("|")[0] for row in rows])
        self.assertNotIn("Toy Story", rows[5:])

    def test_recipe_hybrid(self):
        rows = [row.split("|") for row in self.recipe("hybrid")[1:]]
        table, why = rows[:-5], rows[-5:]
        self.assertGreaterEqual(len(table), 5)
        for column in (1, 2, 3):  # each ranking has its five
            self.assertEqual(sorted(row[column] for row in table if row[column]), list("12345"))
        self.assertEqual([row[0] for row in table[:5]], [row[0] for row in why])
        self.assertEqual(table[0][0], "Jaws")
        scores = [float(row[1]) for row in why]
        self.assertEqual(scores, sorted(scores, reverse=True))

    def test_recipe_nearest_label(self):
        rows = {row.split("|")[0]: row.split("|")[1:] for row in self.recipe("nearest_label")[1:]}
        self.assertLessEqual(set(rows), {"crime", "space", "war", "romance", "family"})
        self.assertEqual(sum(int(n) for n, _, _ in rows.values()), self.count())

    def test_recipe_duplicates(self):
        rows = self.recipe("duplicates")[1:]
        pairs, last = [row.split("|") for row in rows[:-1]], rows[-1]
        on_mars = {"Lost on Mars", "Left on Mars", "Alone on Mars"}
        self.assertGreaterEqual(len([pair for pair in pairs if on_mars & set(pair)]), 2, rows)
        self.assertRegex(last, r"^\d+ duplicates deleted$")
        self.assertGreaterEqual(int(last.split()[0]), 2)

    def test_duplicates_of_a_large_group(self):
        """Equal rows are more than the nearest that are asked for."""
        pairs, delete = re.search(r"(?s)(CREATE TEMP TABLE pairs.*?;).*?(DELETE.*?;)",
                                  text_of("duplicates")).groups()
        status, output = self.workplace.run(
            ".read sql/duplicates.sql\nDROP TABLE pairs;\n"
            "INSERT INTO movies(title, overview) SELECT 'again', 'a hum' FROM movies LIMIT 20;\n"
            f"INSERT INTO movie_index(movie_index) VALUES ('sync');\n{pairs}\n{delete}\n"
            "SELECT count(*) FROM movies WHERE title = 'again';\n")
        self.assertEqual((status, lines_of(output)[-1]), (0, "1"), output)

    def test_recipe_clusters(self):
        rows = [row.split("|") for row in self.recipe("clusters")[1:]]
        self.assertLessEqual(len(rows), 6)
        self.assertGreater(len(rows), 3)
        self.assertEqual(sum(int(n) for _, n, _ in rows), self.count())

    def test_recipe_tenants(self):
        self.assertEqual(self.recipe("tenants"), [
            "Invoices are due after thirty days.", "The anvil order ships on Monday.",
            "Invoices are paid on the first of each month.",
            "The doomsday device is in the east wing.", "0", "3"])

    def test_recipe_from_sqlite_vec(self):
        rows = self.recipe("from_sqlite_vec")[1:]
        self.assertEqual(rows[0], f"0|0|{self.count()}")
        self.assertIn("Toy Story", rows[1])
        self.assertEqual(len(rows), 4)

    def test_recipe_pictures(self):
        rows = self.recipe("pictures")[1:]
        bars = [row.split(" ")[0] for row in rows[:3]]
        self.assertEqual([len(line) for line in bars], [64] * 3)
        self.assertEqual(rows[3:], ["1", "1"])
        folder = os.path.join(self.workplace.folder.name, "build")
        points = ElementTree.parse(os.path.join(folder, "map.svg")).findall(SVG + "circle")
        self.assertEqual(len(points), self.count())
        ranks = ElementTree.parse(os.path.join(folder, "ranks.svg"))
        self.assertEqual(len(ranks.findall(f".//{SVG}path")), 5)

    def test_recipe_demo(self):
        text = "\n".join(self.recipe("demo"))
        self.assertIn("Query: " + support.QUERY, text)
        rows = re.findall(r"(?m)^│ \d+ +│ .* │ -?\d\.\d{3} +│$", text)
        self.assertEqual(len(rows), 25, text)
        moved = re.findall(
            r"(?m)^│ \d +│ (.*?) +│ .*│ (?:(?:up|down) \d+, was \d+|stays) +│$", text)
        self.assertEqual(len(moved), 5, text)
        self.assertIn("Batman", moved[0])
        self.assertEqual(len(re.findall(r"(?m)│ \d+\.\d{3} +│$", text)), 25 + 4, text)


def sqlite_vec():
    """The library of sqlite-vec, or None: pip install --target build/sqlite-vec sqlite-vec"""
    found = glob.glob(os.path.join(support.ROOT, "build", "sqlite-vec", "sqlite_vec", "vec0.*"))
    return found[0] if found else None


@unittest.skipIf(sqlite_vec() is None, "sqlite-vec is not here")
class SqliteVecTest(support.Base):
    """The move of from_sqlite_vec.sql, from tables that sqlite-vec itself wrote."""

    def setUp(self):
        super().setUp()
        self.db.load_extension(sqlite_vec())
        self.move, self.move_loaded = re.findall(
            r"INSERT INTO item_index\(rowid, embedding\).*?;", text_of("from_sqlite_vec"),
            re.DOTALL)[::-1]
        self.db.execute("CREATE TABLE movies(id INTEGER PRIMARY KEY, title TEXT)")
        self.db.execute("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
                        "WHERE i < 1500) INSERT INTO movies SELECT i, 'the film ' || i FROM c")
        self.db.execute("CREATE VIRTUAL TABLE vec_items USING vec0(embedding float[384])")
        self.db.execute("INSERT INTO vec_items(rowid, embedding) "
                        "SELECT id, embed(title) FROM movies")
        self.db.execute("DELETE FROM vec_items WHERE rowid IN (3, 700)")
        self.db.execute("CREATE VIRTUAL TABLE item_index USING semantic_index(content = 'movies', "
                        "text = 'title', model = 'builtin:static', storage = 'float32')")

    def check_moved(self):
        moved = self.rows("SELECT v.rowid FROM vec_items AS v JOIN item_index AS i "
                          "ON i.rowid = v.rowid AND i.embedding = v.embedding")
        self.assertEqual(len(moved), 1498)
        self.assertEqual(self.rows("SELECT embedded, total FROM semantic_sync('item_index')"),
                         [(2, 1500)])

    def test_from_its_own_tables(self):
        self.db.close()
        self.db = support.connect(self.path)  # sqlite-vec need not be loaded
        self.db.execute(self.move)
        self.db.load_extension(sqlite_vec())
        self.check_moved()

    def test_by_sqlite_vec(self):
        self.db.execute(self.move_loaded.replace("\n--", "\n"))
        self.check_moved()


class OwnMoviesTest(Recipes, unittest.TestCase):
    pass

@unittest.skipIf(support.SANITIZED, "a sanitizer learns nothing from more movies")
@unittest.skipIf(support.published_movies() is None, "the published movies are not here")
class PublishedMoviesTest(Recipes, unittest.TestCase):
    movies = support.published_movies()

if __name__ == "__main__":
    unittest.main()
