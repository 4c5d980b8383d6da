"""browser.py: the page in Chromium, driven by playwright-core (tests/tools/install.sh browser).

    browser.py FILE WIDTH HEIGHT [dark]    draws sql/page.png: sql/page.png 1280 1000

The picture shows the published movies if they are here, else the repository's own films.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from served import Served, make_films, support  # noqa: E402

MODULES = os.path.join(support.ROOT, "build", "browser", "node_modules")
SECONDS = 240


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def what_is_missing():
    """What install.sh browser brings and is not here; '' if all is."""
    if not chromium():
        return "no chromium is here"
    if not shutil.which("node"):
        return "no node is here"
    return "" if os.path.isdir(MODULES) else "playwright-core and axe-core are not in build/browser"


def run(url, *arguments, **environment):
    """The finished process of browser.mjs."""
    return subprocess.run(
        ["node", os.path.join(HERE, "browser.mjs"), url, MODULES, chromium(), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=SECONDS)


def expect_checks(case, result, least):
    """More than `least` checks were printed, a JSON object a line, and none has an error."""
    case.assertEqual(result.returncode, 0, result.stderr or result.stdout)
    checks = [json.loads(line) for line in result.stdout.splitlines()]
    case.assertGreater(len(checks), least)
    for check in checks:
        with case.subTest(check["name"]):
            case.assertEqual(check["error"], "")


def main():
    if len(sys.argv) < 4 or what_is_missing():
        sys.exit(what_is_missing() or __doc__)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "films.db")
        make_films(file, support.published_movies())
        served = Served(file)
        result = run(served.url, *sys.argv[1:])
        served.close()
    print(result.stdout, end="")
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
