"""test_model.py: some seeds of the random models, always the same: random_model.py,
content_model.py and filter_model.py run more."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import content_model  # noqa: E402
import filter_model  # noqa: E402
from connections import Plain, with_apsw  # noqa: E402
from random_model import difference  # noqa: E402
from support import SANITIZED  # noqa: E402

SEEDS, N_STEPS = range(1, 16 if SANITIZED else 61), 200


class Model(unittest.TestCase):
    difference, seeds, n_steps = staticmethod(difference), SEEDS, N_STEPS

    def agree(self, opener):
        for seed in self.seeds:
            with self.subTest(seed=seed):
                self.assertIsNone(self.difference(seed, self.n_steps, opener))

    def test_with_the_sqlite_of_python(self):
        self.agree(Plain)

    def test_with_the_sqlite_of_apsw(self):
        try:
            opener = with_apsw()
        except ImportError:
            self.skipTest("apsw is not here")
        self.agree(opener)


class Content(Model):
    difference = staticmethod(content_model.difference)


class Filters(Model):
    difference, seeds, n_steps = staticmethod(filter_model.difference), SEEDS[::4], 40


if __name__ == "__main__":
    unittest.main()
