"""The films that come with the repository, and `make dataset` for the published ones."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

FIELDS = ["title", "overview", "director", "genres", "tagline"]

# What the published example answers to its query, and three more that its text mentions.
EXPECTED_TITLES = """
The Dark Knight; Watchmen; Predator; Despicable Me 2; Night at the Museum: Secret of the Tomb;
Batman v Superman: Dawn of Justice; Penguins of Madagascar; Batman & Robin; Batman Begins; Super 8;
Megamind; The Dark Knight Rises; Batman Returns; The Incredibles; The Raid;
Die Hard: With a Vengeance; Kick-Ass; Fantastic Mr. Fox; Commando; Tremors; The Peanuts Movie;
Kung Fu Panda 2; Crank: High Voltage; Men in Black 3; ParaNorman; Terminator Genisys;
Captain America: Civil War; Whiplash
"""


class OwnMoviesTest(unittest.TestCase):
    def setUp(self):
        path = os.path.join(support.ROOT, "datasets", "movies.json")
        with open(path, encoding="utf-8") as file:
            self.movies = json.load(file)

    def test_fields(self):
        self.assertGreaterEqual(len(self.movies), 250)
        for movie in self.movies:
            self.assertEqual(list(movie), FIELDS)
            for field in ("title", "overview", "director", "genres"):
                self.assertTrue(movie[field].strip(), movie)
        titles = [movie["title"] for movie in self.movies]
        self.assertEqual(len(titles), len(set(titles)))

    def test_the_expected_titles_are_there(self):
        titles = {movie["title"] for movie in self.movies}
        expected = {title.strip() for title in EXPECTED_TITLES.split(";")}
        self.assertEqual(expected - titles, set())

    def test_our_words_are_ours(self):
        """No overview or tagline is that of the published file."""
        published = support.published_movies()
        if published is None:
            self.skipTest("the published movies are not here (RERANK_SHARED)")
        with open(published, encoding="utf-8") as file:
            theirs = json.load(file)
        for field in ("overview", "tagline"):
            taken = {movie[field].strip().lower() for movie in theirs if movie[field]}
            ours = {movie[field].strip().lower() for movie in self.movies if movie[field]}
            self.assertEqual(ours & taken, set())


class DatasetTest(unittest.TestCase):
    def test_only_the_expected_bytes_are_kept(self):
        workplace = support.Workplace()
        self.addCleanup(workplace.close)
        target = os.path.join(workplace.folder.name, "movies-1000.json")
        script = os.path.join(support.ROOT, "tests", "tools", "dataset.sh")

        def download(path):
            return subprocess.run(["sh", script, "file://" + path, target], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        refused = download(script)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"SHA-256", refused.stdout)
        self.assertFalse(os.path.exists(target))
        published = support.published_movies()
        if published is None:
            self.skipTest("the published movies are not here (RERANK_SHARED)")
        self.assertEqual(download(published).returncode, 0)
        self.assertTrue(os.path.exists(target))


if __name__ == "__main__":
    unittest.main()
