"""The plugins of Datasette and sqlite-utils, in the real ones."""
import html
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed  # noqa: E402
import support  # noqa: E402

# Asks Datasette for paths, without a network, and prints [status, body] of each.
CLIENT = """
import asyncio, json, sys
from datasette.app import Datasette

async def main(path, asked):
    datasette = Datasette([path])
    for one in asked:
        response = await datasette.client.get(one, follow_redirects=True)
        print(json.dumps([response.status_code, response.text]))

asyncio.run(main(*json.loads(sys.argv[1])))
"""


class PluginTest(packed.CommandTest):
    def setUp(self):
        super().setUp()
        db = support.connect(self.path("films.db"))
        support.add_films(db)
        support.add_index(db)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        db.close()

    def python(self, *arguments):
        made = subprocess.run([sys.executable, "-B", *arguments], cwd=self.folder, check=False,
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
        return made.stdout


@unittest.skipUnless(packed.installed("datasette"), "datasette is not in build/command")
class DatasetteTest(PluginTest):
    def pages(self, *asked):
        printed = self.python("-c", CLIENT, json.dumps([self.path("films.db"), asked]))
        return [json.loads(line) for line in printed.splitlines()]

    def test_the_page_of_an_index_and_its_form(self):
        (status, page), (_, rows), (asked, form), (made, found), (empty, _) = self.pages(
            "/films/ix", "/films/ix.json?_shape=array", "/films/search_ix",
            "/films/search_ix.json?query=bats+in+a+cave&_shape=array", "/films/search_ix?query=")
        self.assertEqual([status, asked, made, empty], [200, 200, 200, 200],
                         html.unescape(page)[:2000])
        self.assertIn("Night Train", page)
        self.assertIn("/films/search_ix", page)
        self.assertEqual(len(json.loads(rows)), 5)
        self.assertIn('name="query"', form)
        self.assertEqual(json.loads(found)[0]["title"], "Bat Cave")

    def test_a_search_by_filters(self):
        ((status, found),) = self.pages(
            "/films/ix.json?query=bats+in+a+cave&k=2&_sort_desc=relevance&_shape=array")
        self.assertEqual(status, 200, found)
        self.assertEqual([row["title"] for row in json.loads(found)][0], "Bat Cave")
        self.assertEqual(len(json.loads(found)), 2)

    def test_who_writes_sql_changes_no_setting(self):
        ((status, said),) = self.pages("/films.json?sql=select+rerank_config('threads',+3)")
        self.assertEqual(status, 400)
        self.assertIn("locked", said)

    def test_the_collection_of_the_command(self):
        self.write("docs/bats.md", "# Bats\n\nBats sleep in caves by day.\n")
        self.said("index", "films.db", "docs")
        (status, _), (_, found) = self.pages(
            "/films/piece_index", "/films/search_piece_index.json?query=sleeping+bats&_shape=array")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(found)[0]["title"], "Bats")


@unittest.skipUnless(packed.installed("sqlite_utils"), "sqlite-utils is not in build/command")
class SqliteUtilsTest(PluginTest):
    def test_it_is_in_every_connection(self):
        printed = self.python("-m", "sqlite_utils", "query", "films.db",
                              "select title from ix('bats in a cave', 1)")
        self.assertEqual(json.loads(printed), [{"title": "Bat Cave"}])


if __name__ == "__main__":
    unittest.main()
