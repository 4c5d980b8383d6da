"""The page as a person uses it, in Chromium: tests/page/browser.mjs has the checks."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser  # noqa: E402
from served import Served, make_films, support  # noqa: E402


@unittest.skipIf(support.SANITIZED, "a browser does not run under a sanitizer")
@unittest.skipIf(browser.what_is_missing(), browser.what_is_missing())
class BrowserTest(unittest.TestCase):
    def test_the_page(self):
        with tempfile.TemporaryDirectory() as folder:
            make_films(os.path.join(folder, "films.db"))
            served = Served(os.path.join(folder, "films.db"))
            self.addCleanup(served.close)
            result = browser.run(served.url)
        browser.expect_checks(self, result, 8)


if __name__ == "__main__":
    unittest.main()
