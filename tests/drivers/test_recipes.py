"""Runs the recipes in sql/ through the shell, on both sets of movies."""
import glob
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

OWN_MOVIES = os.path.join(support.ROOT, "datasets", "movies.json")


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

class OwnMoviesTest(Recipes, unittest.TestCase):
    pass

@unittest.skipIf(support.SANITIZED, "a sanitizer learns nothing from more movies")
@unittest.skipIf(support.published_movies() is None, "the published movies are not here")
class PublishedMoviesTest(Recipes, unittest.TestCase):
    movies = support.published_movies()

if __name__ == "__main__":
    unittest.main()
